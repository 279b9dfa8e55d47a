"""Frames: the slices of a series, whether a file holds one or many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from voxplain.case.dicom.headers import Header
from voxplain.case.geometry import Floats
from voxplain.errors import GeometryError, InputError


@dataclass(frozen=True)
class Frame:
    """One slice: where it lies (DICOM's LPS millimetres) and how stored numbers become values.

    Args:
        header: of the file.
        index: which frame of the file.
        position: (3,) centre of the first pixel; None where the file does not say.
        orientation: (2, 3) unit vectors along a row (columns count up) and down a column (rows count up).
        spacing: (2,) distance of neighbouring rows, and of neighbouring columns.
        thickness: slice distance or thickness as the header gives it.
        slope: value = slope × stored + intercept.
        intercept: see `slope`.
    """

    header: Header
    index: int
    position: Floats | None
    orientation: Floats | None
    spacing: Floats | None
    thickness: float | None
    slope: float
    intercept: float

    @property
    def normal(self) -> Floats:
        """Unit vector along which slices are counted."""
        if self.orientation is None:
            raise GeometryError(f"{self.header.path}: has a position, but no ImageOrientationPatient")
        across: Floats = np.cross(self.orientation[0], self.orientation[1])
        return across / np.linalg.norm(across)


def frames_of(header: Header) -> list[Frame]:
    """The frames of one file.

    Raises:
        InputError: header fields that are no numbers, or too few of them.
        GeometryError: an orientation that is none.
    """
    offsets = _dose_offsets(header)
    return [_frame(header, index, offsets) for index in range(header.frames)]


def _frame(header: Header, index: int, offsets: Floats | None) -> Frame:
    dataset = header.dataset
    plane = group(dataset, index, "PlanePositionSequence") or dataset
    axes = group(dataset, index, "PlaneOrientationSequence") or dataset
    measures = group(dataset, index, "PixelMeasuresSequence") or dataset
    values = group(dataset, index, "PixelValueTransformationSequence") or dataset
    position = numbers(header, plane, "ImagePositionPatient", 3)
    orientation = _orientation(header, axes)
    thickness = numbers(header, measures, "SpacingBetweenSlices", 1)
    if thickness is None or thickness[0] == 0:
        thickness = numbers(header, measures, "SliceThickness", 1)
    slope = numbers(header, values, "RescaleSlope", 1)
    intercept = numbers(header, values, "RescaleIntercept", 1)
    if slope is None:
        slope = numbers(header, dataset, "DoseGridScaling", 1)
    frame = Frame(
        header=header,
        index=index,
        position=position,
        orientation=orientation,
        spacing=numbers(header, measures, "PixelSpacing", 2),
        thickness=None if thickness is None or thickness[0] == 0 else abs(float(thickness[0])),
        slope=1.0 if slope is None else float(slope[0]),
        intercept=0.0 if intercept is None else float(intercept[0]),
    )
    return frame if offsets is None else _shifted(frame, float(offsets[index]))


def _shifted(frame: Frame, offset: float) -> Frame:
    """A dose plane lies `offset` millimetres along the normal from the file's one position."""
    if frame.position is None:
        return frame
    fields = {**frame.__dict__, "position": frame.position + offset * frame.normal}
    return Frame(**fields)


def _dose_offsets(header: Header) -> Floats | None:
    """RTDOSE's plane offsets from the first plane; older files give absolute coordinates instead."""
    if header.frames == 1 or not header.dataset.get("GridFrameOffsetVector"):
        return None
    offsets = numbers(header, header.dataset, "GridFrameOffsetVector", header.frames)
    return None if offsets is None else offsets - offsets[0]


def _orientation(header: Header, axes: Any) -> Floats | None:
    cosines = numbers(header, axes, "ImageOrientationPatient", 6)
    if cosines is None:
        return None
    pair: Floats = cosines.reshape(2, 3)
    lengths = np.linalg.norm(pair, axis=1)
    if np.abs(lengths - 1).max() > 0.01 or abs(pair[0] @ pair[1]) > 0.99:
        raise GeometryError(
            f"{header.path}: ImageOrientationPatient {cosines.tolist()} is not a pair of unit vectors"
        )
    unit: Floats = pair / lengths[:, None]
    return unit


def group(dataset: Any, index: int, keyword: str) -> Any | None:
    """A functional group of a frame: its own, or the one that all share; None where there is neither."""
    own = dataset.get("PerFrameFunctionalGroupsSequence")
    shared = dataset.get("SharedFunctionalGroupsSequence")
    sources = [own[index]] if own and index < len(own) else []
    sources += [shared[0]] if shared else []
    for source in sources:
        sequence = source.get(keyword)
        if sequence:
            found: object = sequence[0]
            return found
    return None


def numbers(header: Header, dataset: Any, keyword: str, count: int) -> Floats | None:
    """A header field as floats; None where it is absent or empty.

    Raises:
        InputError: not `count` finite numbers.
    """
    try:
        value = dataset.get(keyword)
        if value is None or value == "":
            return None
        array = np.atleast_1d(np.asarray(value, np.float64))
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{header.path}: {keyword} is not {count} numbers") from error
    if array.size == 0:
        return None
    if array.shape != (count,) or not np.isfinite(array).all():
        raise InputError(f"{header.path}: {keyword} is {array.tolist()}, not {count} finite numbers")
    return array
