"""A folder of cases: one NIfTI file each, or one folder each. What belongs to which is never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voxplain.case.formats import stem
from voxplain.case.nifti import SUFFIXES
from voxplain.errors import InputError

BETWEEN = "-_. "  # stand between a case's name and what its second file is called
INSTEAD = "say which file is the image with {id} in a path, or with a table"


def cases_in(folder: Path) -> list[dict[str, Any]]:
    """One case for each NIfTI file in a folder, or for each folder in it; other files and hidden ones do not count.

    Raises:
        InputError: there is neither, there are both, or a case might have two images; or the folder cannot be read.
    """
    files, folders = _inside(folder)
    if not files and not folders:
        raise InputError(
            f"cases: {folder} holds no NIfTI file and no folder; expected one image per case, or a table"
        )
    if files and folders:
        raise InputError(
            f"cases: {folder} holds both NIfTI files ({files[0].name}) and folders ({folders[0].name}); {INSTEAD}"
        )
    if files:
        _check_apart(folder, files)
        return [{"image": str(path)} for path in files]
    images = [(path, _image_of(path)) for path in folders]
    # a folder that is a DICOM series gets its name from `name_of`, which does not tell the patient's
    return [{"image": str(i)} if i == path else {"image": str(i), "id": path.name} for path, i in images]


def _inside(folder: Path) -> tuple[list[Path], list[Path]]:
    """NIfTI files and folders, each in order."""
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"cases: {folder} cannot be read ({error.strerror})") from None
    files = [path for path in found if path.is_file() and path.name.lower().endswith(SUFFIXES)]
    return files, [path for path in found if path.is_dir()]


def _image_of(folder: Path) -> Path:
    """The one NIfTI file of a case's folder; without any, the folder is a DICOM series."""
    files, folders = _inside(folder)
    if len(files) > 1:
        raise InputError(
            f"cases: {folder} holds {len(files)} NIfTI files ({files[0].name}, {files[1].name}), expected one image; "
            + INSTEAD
        )
    if files:
        return files[0]
    if folders or not any(path.is_file() and not path.name.startswith(".") for path in folder.iterdir()):
        raise InputError(
            f"cases: {folder} holds no image, expected a NIfTI file or a DICOM series; {INSTEAD}"
        )
    return folder


def _check_apart(folder: Path, files: Sequence[Path]) -> None:
    """A file that is named after another may be its label: neither is guessed to be an image."""
    names = {stem(path): path.name for path in files}
    for name, file in names.items():
        for end in (i for i, letter in enumerate(name) if i and letter in BETWEEN):
            if name[:end] in names:
                raise InputError(
                    f"cases: {folder} holds {names[name[:end]]} and {file}, which may be of one case; {INSTEAD}"
                )
