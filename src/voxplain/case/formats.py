"""Which reader a path is for."""

from __future__ import annotations

from pathlib import Path

from voxplain.case import arrays, nifti, picture
from voxplain.case.loaded import Loaded
from voxplain.errors import InputError, suggest

_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_READABLE = "NIfTI, DICOM (a folder or a file), PNG, JPEG, TIFF, .npy and .npz can be read"


def load(path: Path, *, series: str | int | None = None, indices: bool = False) -> Loaded:
    """Read one file or one DICOM folder.

    Args:
        path: what to read.
        series: which DICOM series, by UID or number.
        indices: a picture with a palette gives the indices, not the colours: right for label maps.

    Raises:
        InputError: nothing there, or a format that cannot be read.
    """
    _check_present(path)
    lower = path.name.lower()
    name = stem(path)
    if path.is_dir() or lower.endswith(_DICOM_SUFFIXES) or _says_dicom(path):
        from voxplain.case.dicom.read import read_dicom

        return read_dicom(path, series=series)
    if lower.endswith(nifti.SUFFIXES):
        return nifti.read_nifti(path, name)
    if lower.endswith(arrays.SUFFIXES):
        return arrays.read_array(path, name)
    if lower.endswith(picture.SUFFIXES):
        return picture.read_picture(path, name, indices=indices)
    raise InputError(f"{path}: the format {path.suffix or 'without a suffix'} is unknown; {_READABLE}")


def is_dicom_name(path: Path) -> bool:
    """Whether a path is called as DICOM is, whether it is there or not: a folder, or a file of no other suffix.

    >>> is_dicom_name(Path("series")), is_dicom_name(Path("1.dcm")), is_dicom_name(Path("t1.nii.gz"))
    (True, True, False)
    """
    name = path.name.lower()
    return name.endswith(_DICOM_SUFFIXES) or not name.endswith(
        (*nifti.SUFFIXES, *arrays.SUFFIXES, *picture.SUFFIXES)
    )


def stem(path: Path) -> str:
    """The file's name without its suffixes; `.nii.gz` is one.

    >>> stem(Path("folder/sub-01_T1w.nii.gz")), stem(Path("a.b.png"))
    ('sub-01_T1w', 'a.b')
    """
    for suffix in (*nifti.SUFFIXES, *arrays.SUFFIXES, *picture.SUFFIXES, *_DICOM_SUFFIXES):
        if path.name.lower().endswith(suffix) and len(path.name) > len(suffix):
            return path.name[: -len(suffix)]
    return path.name


def _check_present(path: Path) -> None:
    """Raise for a missing path, with the closest names of the folder that should hold it."""
    try:
        if path.exists():
            return
    except (OSError, ValueError) as error:  # a name too long, a loop of links, a null byte
        raise InputError(f"{str(path)!r}: cannot be reached: {error}") from error
    folder = path.parent
    while not folder.is_dir():
        path, folder = folder, folder.parent
    try:
        known = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError:
        known = []
    raise InputError(f"{path}: no such file or folder; in {folder}: {suggest(path.name, known)}")


def _says_dicom(path: Path) -> bool:
    """Whether the file carries DICOM's mark after its preamble; many series have names without a suffix."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
