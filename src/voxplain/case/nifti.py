"""NIfTI and the other volumes that nibabel reads (Analyze pairs, FreeSurfer's MGH)."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.case.geometry import Floats, Geometry
from voxplain.case.loaded import Loaded, naming, unreadable
from voxplain.errors import InputError

SUFFIXES = (".nii.gz", ".nii", ".img.gz", ".hdr.gz", ".img", ".hdr", ".mgz", ".mgh")

# A qform is a quaternion of three float32: near half turns that costs up to 3e-4 rad, some 0.1 mm on a head.
_FORMS_APART_MM = 0.1

# A header begins with its own length: 348 bytes of NIfTI-1 and Analyze, 540 of NIfTI-2, in either byte order.
_HEADER_STARTS = {size.to_bytes(4, order) for size in (348, 540) for order in ("little", "big")}


def read_nifti(path: Path, name: str) -> Loaded:
    """Read a volume: (X, Y, Z[, C]) becomes (C, X, Y, Z), a header of two axes a 2-D slice.

    Raises:
        InputError: a file that is damaged, empty, complex, in metres, or of more than four axes.
        GeometryError: an impossible affine.
    """
    import nibabel as nib

    _check_name(path)
    broken = (*_broken(), nib.filebasedimages.ImageFileError)
    try:
        image = nib.load(path, mmap=False)
    except broken as error:
        raise unreadable(path, error, "NIfTI") from error
    shape = _checked_shape(path, image.shape)
    _check_unit(path, image.header)
    try:
        values = np.asanyarray(image.dataobj)
    except MemoryError as error:
        raise InputError(f"{path}: its {shape} voxels do not fit into memory") from error
    except broken as error:
        raise unreadable(path, error, "NIfTI") from error
    array, note = _channel_first(path, values, shape)
    affine, notes = _affine(image, array.shape[1:])
    with naming(path):
        geometry = Geometry(affine, array.shape[1:])
        notes += _forms(image, geometry)
    meta: dict[str, object] = {"format": "NIfTI", "dtype": str(image.get_data_dtype())}
    return Loaded(name, array, geometry, meta=meta, notes=note, warnings=tuple(notes))


def _check_name(path: Path) -> None:
    """Refuse compressed files without ".gz" and plain ones with it: nibabel goes by the name."""
    lower = path.name.lower()
    with path.open("rb") as file:
        start = file.read(4)
    is_gzip = start[:2] == b"\x1f\x8b"
    if lower.endswith((".nii", ".img", ".hdr")) and is_gzip:
        raise InputError(f"{path}: is compressed; rename it to {path.name}.gz")
    if lower.endswith(".gz") and len(start) >= 2 and not is_gzip:
        found = (
            f"it is not compressed; rename it to {path.name[:-3]}"
            if start in _HEADER_STARTS
            else "found neither gzip nor the header of an uncompressed image; it may be another kind of file"
        )
        raise InputError(f"{path}: cannot be read as NIfTI: {found}")


def _broken() -> tuple[type[Exception], ...]:
    """What nibabel raises on damaged files."""
    import nibabel as nib

    headers = (nib.spatialimages.HeaderDataError, nib.wrapstruct.WrapStructError)
    return (*headers, OSError, EOFError, ValueError, KeyError, OverflowError, zlib.error, struct.error)


def _checked_shape(path: Path, declared: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without trailing single axes and without the empty fourth axis of NIfTI's vectors."""
    shape = tuple(int(n) for n in declared)
    if len(shape) < 2 or min(shape) < 1:
        raise InputError(f"{path}: has the shape {shape}; an image needs 2 or 3 axes of at least one voxel")
    while len(shape) > 4 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) == 5 and shape[3] == 1:
        shape = (*shape[:3], shape[4])
    if len(shape) > 4:
        raise InputError(
            f"{path}: has the shape {shape}; 2-D, 3-D and 4-D images can be read (4-D as channels),"
            " so save one volume of it"
        )
    return shape


def _channel_first(
    path: Path, values: npt.NDArray[Any], shape: tuple[int, ...]
) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """(X, Y[, Z[, C]]) or colour records to (C, X, Y[, Z])."""
    values = values.reshape(shape)
    if values.dtype.names:
        colours = [c for c in values.dtype.names if c.upper() != "A"]
        if values.ndim > 3 and values.shape[3] > 1:
            raise InputError(f"{path}: has the shape {shape} in colour; save one volume of it")
        volume = values.reshape(shape[:3])
        note = ("the alpha channel was left out",) if len(colours) < len(values.dtype.names) else ()
        return np.stack([volume[c] for c in colours]), note
    if np.iscomplexobj(values):
        raise InputError(f"{path}: holds complex numbers; save its magnitude, or both parts as channels")
    return (np.moveaxis(values, 3, 0) if values.ndim == 4 else values[None]), ()


def _check_unit(path: Path, header: Any) -> None:
    """Refuse metres and micrometres: a factor of a thousand must not pass for millimetres."""
    if not hasattr(header, "get_xyzt_units"):
        return
    try:
        unit = header.get_xyzt_units()[0]
    except KeyError:  # a code that NIfTI does not know
        return
    if unit in ("meter", "micron"):
        raise InputError(f"{path}: its header gives lengths in {unit}s; convert the affine to millimetres")


def _affine(image: Any, spatial: tuple[int, ...]) -> tuple[Floats, list[str]]:
    """The affine that nibabel chose, with a thickness where a single slice has none."""
    affine = np.array(image.affine, np.float64)
    notes = []
    single = len(spatial) == 2 or spatial[2] == 1
    if single and not affine[:3, 2].any():
        normal = np.cross(affine[:3, 0], affine[:3, 1])
        length = np.linalg.norm(normal)
        if length > 0:
            affine[:3, 2] = normal / length
            notes.append("the header gives the slice no thickness: 1 mm is taken")
    return affine, notes


def _forms(image: Any, geometry: Geometry) -> list[str]:
    """Warnings on where the affine comes from: no form at all, or two that disagree."""
    header = image.header
    if not hasattr(header, "get_qform"):
        return []
    if int(header["sform_code"]) <= 0 and int(header["qform_code"]) <= 0:
        return ["the header has neither sform nor qform: position and left/right are only assumed"]
    if int(header["sform_code"]) <= 0 or int(header["qform_code"]) <= 0:
        return []
    try:
        qform = Geometry(header.get_qform(), geometry.shape)
    except ValueError:  # an impossible quaternion or spacing: the sform is the one in use
        return ["the qform is invalid: the sform is used"]
    apart = geometry.apart_mm(qform)
    if apart <= _FORMS_APART_MM:
        return []
    return [f"sform and qform disagree by up to {apart:.3g} mm: the sform is used"]
