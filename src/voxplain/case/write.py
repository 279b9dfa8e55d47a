"""From arrays and cases to files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.case import picture_writer
from voxplain.case.atomic import whole
from voxplain.case.case import Case
from voxplain.case.geometry import Geometry
from voxplain.errors import GeometryError, InputError, suggest

_SUFFIXES = (".nii.gz", ".nii", ".npz", ".npy", *picture_writer.SUFFIXES)
_NIFTI_AXIS = 32767  # its header counts voxels in 16 bits
_WRITABLE = ".nii.gz, .nii, .npz, .npy, .png, .jpg and .tif can be written"


def write_array(path: str | os.PathLike[str], array: npt.ArrayLike, geometry: Geometry | None) -> None:
    """Write an image, map or mask in the format that the suffix names; the file is whole or not there.

    Floats are written as float32, integers and booleans as integers; pictures take whole numbers only, except
    `.tif`, which also takes floats. NIfTI and `.npz` keep the geometry, the others have none and refuse one.

    Args:
        path: `.nii.gz`, `.nii`, `.npz`, `.npy`, `.png`, `.jpg` or `.tif`.
        array: (C, *spatial) or (*spatial), finite. Without a geometry, three axes are (C, rows, columns) of a
            picture, and `.tif` takes four as (C, pages, rows, columns).
        geometry: the array's grid; None for pictures and bare arrays.

    Raises:
        InputError: an unknown suffix, values the format cannot hold, a place that cannot be written to.
        GeometryError: array and geometry are not on one grid, or the format needs or refuses a geometry.

    >>> import tempfile
    >>> from voxplain.case import Geometry, read_case
    >>> grid = Geometry(np.diag([2.0, 2.0, 3.0, 1.0]), (4, 5, 6))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_array(f"{folder}/map.nii.gz", np.full((4, 5, 6), 0.5), grid)
    ...     back = read_case(f"{folder}/map.nii.gz")
    >>> back.geometry == grid, float(back.image.max())
    (True, 0.5)
    """
    file = Path(path)
    values = _storable(np.asarray(array), file)
    suffix = _suffix(file)
    if geometry is not None:
        _check_grid(file, values, geometry)
    if suffix.startswith(".nii"):
        if geometry is None:
            raise GeometryError(f"{file}: NIfTI needs a geometry, the array has none; use .npz, .npy or .tif")
        _write_nifti(file, values, geometry)
    elif suffix == ".npz":
        _write_npz(file, values, geometry, dims=None if geometry is None else geometry.ndim)
    elif geometry is not None:
        raise GeometryError(f"{file}: {suffix} cannot hold a geometry; use .nii.gz or .npz")
    elif suffix == ".npy":
        with whole(file) as temporary:
            np.save(temporary, values, allow_pickle=False)
    else:
        picture_writer.write(file, values)


def write_case(
    path: str | os.PathLike[str], case: Case, *, format: str | None = None, seed: int | None = None
) -> None:
    """Write a case's image; the file or folder is whole or not there.

    `.npz` also keeps the label. A path without a suffix that ends in "/" (or `format="dicom"`) becomes a
    folder with a derived DICOM series: one file per slice, values quantised to 16 bits, and the slices ordered along
    DICOM's normal, so that a grid whose axes are left-handed comes back with its third axis reversed.

    Args:
        path: `.nii.gz`, `.nii`, `.npz`, `.npy`, `.png`, `.jpg`, `.tif` or a new folder.
        case: what to write.
        format: "dicom" for a DICOM folder of any name.
        seed: makes the DICOM identifiers reproducible.

    Raises:
        InputError: an unknown suffix, values the format cannot hold, a place that cannot be written to.
        GeometryError: a geometry that the format cannot hold.
    """
    file = Path(path)
    if format not in (None, "dicom"):
        raise InputError(f"format {format!r} is unknown; give 'dicom', or name the format by the suffix")
    if format == "dicom" or (os.fspath(path).endswith(("/", os.sep)) and not file.suffix):
        from voxplain.case.dicom.write import write_series

        write_series(file, case, seed=seed)
        return
    suffix = _suffix(file)
    if suffix == ".npz":
        _write_npz(file, case.image, case.geometry, dims=case.spatial_dims, label=case.label)
        return
    if suffix == ".npy" and case.spatial_dims == 2 and case.channels > 1:
        raise InputError(f"{file}: a 2-D image with channels would be read back as a volume; use .npz")
    single = suffix == ".npy" and case.channels == 1
    write_array(file, case.image[0] if single else case.image, case.geometry)


def _suffix(file: Path) -> str:
    for suffix in _SUFFIXES:
        if file.name.lower().endswith(suffix):
            return suffix
    close = suggest(file.suffix, _SUFFIXES) if file.suffix else _WRITABLE
    raise InputError(f"{file}: the format {file.suffix or 'without a suffix'} is unknown; {close}")


def _storable(values: npt.NDArray[Any], file: Path) -> npt.NDArray[Any]:
    """Floats as finite float32, booleans as bytes, integers with at most 32 bits."""
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            single = values.astype(np.float32)
        if not np.isfinite(single).all():
            wrong = int((~np.isfinite(single)).sum())
            raise InputError(f"{file}: {wrong} of {single.size} values are NaN or infinite")
        return single
    if values.dtype.kind not in "iu":
        raise InputError(f"{file}: values of type {values.dtype} cannot be written; give real numbers")
    if values.dtype.itemsize <= 4 or not values.size:
        return values
    for dtype in (np.int32, np.uint32):
        if np.iinfo(dtype).min <= values.min() and values.max() <= np.iinfo(dtype).max:
            return values.astype(dtype)
    raise InputError(f"{file}: integers from {values.min()} to {values.max()} do not fit into 32 bits")


def _check_grid(file: Path, values: npt.NDArray[Any], geometry: Geometry) -> None:
    extra = values.ndim - geometry.ndim
    if extra not in (0, 1) or values.shape[extra:] != geometry.shape:
        raise GeometryError(f"{file}: an array of shape {values.shape} is not on the grid {geometry.shape}")


def _write_nifti(file: Path, values: npt.NDArray[Any], geometry: Geometry) -> None:
    """One channel as (X, Y, Z), several as (X, Y, Z, C); the affine as sform, as qform where possible."""
    import nibabel as nib

    grid = geometry.shape if geometry.ndim == 3 else (*geometry.shape, 1)
    if max(values.shape) > _NIFTI_AXIS:
        raise InputError(f"{file}: NIfTI holds axes of up to {_NIFTI_AXIS} voxels, not {grid}; use .npz")
    volume = values.reshape(-1, *grid)
    volume = volume[0] if len(volume) == 1 else np.moveaxis(volume, 0, 3)
    image = nib.Nifti1Image(volume, geometry.affine, dtype=volume.dtype)
    image.set_sform(geometry.affine, code="scanner")
    if Geometry(geometry.affine, grid).is_sheared:
        image.set_qform(None, code="unknown")
    else:
        image.set_qform(geometry.affine, code="scanner")
    image.header.set_zooms((*Geometry(geometry.affine, grid).spacing, *([1.0] * (volume.ndim - 3))))
    image.header.set_xyzt_units("mm", "sec")
    with whole(file) as temporary:
        nib.save(image, temporary)


def _write_npz(
    file: Path,
    values: npt.NDArray[Any],
    geometry: Geometry | None,
    *,
    dims: int | None,
    label: npt.NDArray[np.int32] | None = None,
) -> None:
    content: dict[str, npt.NDArray[Any]] = {"image": values}
    if geometry is not None:
        content["affine"] = geometry.affine
    if dims is not None:
        content["spatial_dims"] = np.array(dims)
    if label is not None:
        content["label"] = label
    with whole(file) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **content)
