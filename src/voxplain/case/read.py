"""From files to cases."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.case.case import Case
from voxplain.case.formats import load
from voxplain.case.geometry import Geometry, to_axes_of
from voxplain.case.loaded import Loaded
from voxplain.case.values import as_image, as_labels
from voxplain.errors import GeometryError, InputError

StrPath = str | os.PathLike[str]

# Two files are on one grid if no corner is further apart than this share of a voxel: header rounding passes,
# a voxel's shift does not.
_SHARE_OF_VOXEL = 0.02


def read_case(
    path: StrPath | Sequence[StrPath],
    *,
    label: StrPath | None = None,
    id: str | None = None,
    series: str | int | None = None,
    fill_nan: float | None = None,
) -> Case:
    """Read an image, or several on one grid as channels, with its label where there is one.

    NIfTI (4-D as channels), DICOM (a folder or one file), PNG, JPEG, TIFF and NumPy files are read. Volumes
    keep the file's voxel order; in a stack, files whose axes are only permuted or flipped get the first's.

    Args:
        path: a file, a DICOM folder, or several of them to be stacked as channels.
        label: an integer image on the same grid.
        id: the case's name; by default the file's stem (a DICOM series: modality and a short hash).
        series: which series of a DICOM folder: its UID, or its number in the list that the error shows.
        fill_nan: replaces NaN and infinite values; without it they are an error.

    Raises:
        InputError: a missing, damaged or unsupported file; values that are not finite; fractional labels.
        GeometryError: impossible or contradicting geometries.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/scan.npy", np.ones((1, 4, 5, 6), np.float32))
    ...     case = read_case(f"{folder}/scan.npy")
    >>> case.id, case.channels, case.spatial_shape
    ('scan', 1, (4, 5, 6))
    """
    paths = [path] if isinstance(path, (str, os.PathLike)) else list(path)
    if not paths or "" in [os.fspath(p) for p in paths]:
        raise InputError("no image was given; name a file or a DICOM folder")
    parts = [_finite(Path(p), load(Path(p), series=series), fill_nan) for p in paths]
    whole = parts[0] if len(parts) == 1 else _stacked([Path(p) for p in paths], parts)
    _warn(Path(paths[0]), whole)
    meta = {**whole.meta, "notes": [*whole.notes, *whole.warnings]}
    case = Case(whole.name if id is None else id, whole.array, whole.geometry, meta=meta)
    if label is not None:
        return replace(case, label=read_mask(label, case))
    return replace(case, label=whole.label) if whole.label is not None else case


def read_mask(path: StrPath, case: Case) -> npt.NDArray[np.int32]:
    """Read a label map or mask (*spatial) on the grid of a case.

    A file whose axes are only permuted or flipped is brought to the case's order. A file without geometry (a
    picture, an array) is checked by its shape alone.

    Raises:
        InputError: a missing or damaged file, several channels, values that are not integers.
        GeometryError: another grid than the case's.
    """
    file = Path(path)
    mask = _single(file, load(file, indices=True))
    _warn(file, mask)
    labels = as_labels(mask.array[0], str(file))
    fitted = _fitted(labels, mask.geometry, case.geometry, case.spatial_shape)
    if fitted is None:
        difference = _difference(mask.geometry, case.geometry, labels.shape, case.spatial_shape)
        raise GeometryError(f"{file} is not on the grid of case {case.id!r}: {difference}; resample it first")
    return np.ascontiguousarray(fitted)


def _finite(path: Path, part: Loaded, fill_nan: float | None) -> Loaded:
    """The part with finite float32 values."""
    return replace(part, array=as_image(part.array, str(path), fill_nan))


def _single(path: Path, mask: Loaded) -> Loaded:
    """A mask of one channel; a grey mask that was saved as a colour picture counts as one."""
    array = mask.array
    if len(array) == 1 or (array[1:] == array[:1]).all():
        return replace(mask, array=array[:1])
    raise InputError(
        f"{path}: has {len(array)} channels, a mask has one; save the class of each voxel as an integer"
    )


def _stacked(paths: Sequence[Path], parts: Sequence[Loaded]) -> Loaded:
    """All parts as channels on the first one's grid."""
    first = parts[0]
    grid = first.array.shape[1:]
    arrays = [first.array]
    for path, part in zip(paths[1:], parts[1:], strict=True):
        if (part.geometry is None) != (first.geometry is None):
            blind, placed = (path, paths[0]) if part.geometry is None else (paths[0], path)
            raise GeometryError(
                f"{blind} has no geometry, {placed} has one: they cannot be stacked as channels"
            )
        fitted = _fitted(part.array, part.geometry, first.geometry, grid)
        if fitted is None:
            difference = _difference(first.geometry, part.geometry, grid, part.array.shape[1:])
            raise GeometryError(
                f"{paths[0]} and {path} are on different grids: {difference}; resample one onto the other"
            )
        arrays.append(fitted)
    meta = {**first.meta, "channels": [p.name for p in parts for _ in range(len(p.array))]}
    return replace(
        first,
        name=_common_name([part.name for part in parts]),
        array=np.concatenate(arrays),
        meta=meta,
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        warnings=tuple(dict.fromkeys(text for part in parts for text in part.warnings)),
    )


def _fitted(
    array: npt.NDArray[Any], geometry: Geometry | None, wanted: Geometry | None, grid: tuple[int, ...]
) -> npt.NDArray[Any] | None:
    """The array (..., *spatial) in the wanted grid's voxel order, or None where it lies elsewhere."""
    if geometry is None or wanted is None:
        leading = array.ndim - (len(grid) if geometry is None else geometry.ndim)
        return array if leading >= 0 and array.shape[leading:] == grid else None
    if geometry.ndim != wanted.ndim:  # a slice may be held with or without its third axis
        before = geometry.ndim
        full = (*geometry.shape, 1) if geometry.ndim == 2 else geometry.shape
        if full[2] != 1 or (wanted.ndim == 3 and wanted.shape[2] != 1):
            return None
        geometry = Geometry(geometry.affine, full[: wanted.ndim])
        array = array.reshape(*array.shape[: array.ndim - before], *geometry.shape)
    moved, grid_moved = to_axes_of(array, geometry, wanted)
    tolerance = max(1e-3, _SHARE_OF_VOXEL * min(wanted.spacing))
    return moved if grid_moved.matches(wanted, tolerance) else None


def _difference(
    a: Geometry | None, b: Geometry | None, shape_a: tuple[int, ...], shape_b: tuple[int, ...]
) -> str:
    if a is None or b is None:
        return f"the shapes are {shape_a} and {shape_b}"
    return a.difference(b)


def _common_name(names: Sequence[str]) -> str:
    """What the names begin with, without loose ends such as "_", or the first name."""
    same = takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    common = "".join(letters[0] for letters in same).rstrip("_-. ")
    return common if len(common) >= 3 else names[0]


def _warn(path: Path, loaded: Loaded) -> None:
    for text in loaded.warnings:
        warnings.warn(f"{path}: {text}", UserWarning, stacklevel=3)
