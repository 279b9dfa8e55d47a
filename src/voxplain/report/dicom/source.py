"""The series that an image came from: its grid, its pixels, and the headers that DICOM objects refer to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.case import Geometry, to_axes_of
from voxplain.case.dicom import grid
from voxplain.case.dicom.frames import Frame, frames_of
from voxplain.case.dicom.headers import Header, find_headers
from voxplain.case.dicom.pixels import read_values
from voxplain.case.dicom.series import choose
from voxplain.errors import GeometryError, InputError
from voxplain.report.dicom.identity import bare

# As for files that belong to a case: a header's rounding passes, a voxel's shift does not.
_SHARE_OF_VOXEL = 0.02
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")


@dataclass(frozen=True)
class Source:
    """A series of single images, ordered along its slices' normal.

    Attributes:
        path: its folder.
        frames: its images in order, with their headers.
        images: headers that hold no field of a patient, for objects to refer to.
        geometry: (columns, rows, slices).
    """

    path: Path
    frames: tuple[Frame, ...]
    images: tuple[Any, ...]
    geometry: Geometry

    @property
    def header(self) -> Header:
        """Of the first image."""
        return self.frames[0].header

    @property
    def series(self) -> str:
        """The SeriesInstanceUID."""
        return self.header.text("SeriesInstanceUID")

    @cached_property
    def values(self) -> NDArray[np.float32]:
        """The pixels (columns, rows, slices) in the file's unit.

        Raises:
            InputError: no pixel data, none that can be decoded, or colours.
        """
        found = read_values(self.frames)
        if len(found) != 1:
            raise InputError(f"{self.path}: its images have {len(found)} channels, expected grey ones")
        volume: NDArray[np.float32] = found[0].transpose(2, 1, 0)
        return volume

    def fit(self, array: NDArray[Any], geometry: Geometry | None, name: str) -> NDArray[Any]:
        """An array (*spatial) in the order of the series' voxels: axes are permuted and flipped, nothing is resampled.

        Raises:
            GeometryError: it lies on another grid, or has none.
        """
        if geometry is None:
            raise GeometryError(f"{name}: has no geometry, so it is not known where in {self.path} it lies")
        if geometry.ndim == self.geometry.ndim:
            moved, place = to_axes_of(array, geometry, self.geometry)
            if place.matches(self.geometry, max(1e-3, _SHARE_OF_VOXEL * min(self.geometry.spacing))):
                return np.ascontiguousarray(moved)
            geometry = place
            difference = place.difference(self.geometry)
        else:
            difference = f"it has {geometry.ndim} axes"
        raise GeometryError(f"{name}: is not on the grid of the series in {self.path}: {difference}")


def read_source(folder: str | Path, *, series: str | int | None = None) -> Source:
    """Read the headers of a series that DICOM objects are to refer to.

    Args:
        folder: of its files.
        series: which one, by its UID or its number in the list that the error shows.

    Raises:
        InputError: no DICOM images there, several series, images with several frames or without an identifier.
        GeometryError: no place in space, slices missing, a tilted gantry.
    """
    path = Path(folder)
    if not path.exists():
        raise InputError(
            f"{path}: no such file or folder, expected the DICOM series that the image came from"
        )
    chosen = choose(path, find_headers(path)[0], series)
    _check(path, chosen)
    frames = [frame for header in chosen for frame in frames_of(header)]
    if all(frame.position is None for frame in frames):
        raise GeometryError(f"{path}: its images have no ImagePositionPatient: nothing can be placed on them")
    frames = grid.ordered(path, frames)
    geometry, _ = grid.geometry(path, frames)
    if geometry.is_sheared:
        raise GeometryError(
            f"{path}: its slices are tilted against their normal (gantry tilt), which viewers show wrongly;"
            " resample the series to a right-angled grid and explain that"
        )
    images = tuple(bare(f.header.dataset) for f in frames)
    for image in images:
        image.SliceThickness = image.get("SliceThickness") or float(f"{geometry.spacing[2]:.10g}")
    return Source(path, tuple(frames), images, geometry)


def _check(path: Path, headers: Sequence[Header]) -> None:
    """What every reference needs."""
    if any(header.frames > 1 for header in headers):
        raise InputError(f"{path}: has images of several frames, expected a series of single images")
    for header in headers:
        missing = [keyword for keyword in _NEEDED if not header.text(keyword)]
        if missing:
            raise InputError(f"{header.path}: has no {', '.join(missing)}, which references need")
    for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
        if len({header.text(keyword) for header in headers}) > 1:
            raise InputError(f"{path}: its images differ in {keyword}, expected one for the whole series")
