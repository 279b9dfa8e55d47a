"""From the places of slices to one voxel grid, or to the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from voxplain.case.dicom.differing import differing
from voxplain.case.dicom.frames import Frame
from voxplain.case.geometry import Floats, Geometry
from voxplain.errors import GeometryError

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Slices may be off their even places by that share of their distance: headers round to 0.01 mm.
_UNEVEN = 0.05


def ordered(path: Path, frames: Sequence[Frame]) -> list[Frame]:
    """The frames of one volume by their place along the normal; names and numbers of files do not count.

    Raises:
        GeometryError: frames that differ in size, orientation or spacing; that lack a place or share one.
    """
    _check_alike(path, frames, "image size", [np.array(_size(f), np.float64) for f in frames])
    _check_alike(path, frames, "orientation", [f.orientation for f in frames])
    _check_alike(path, frames, "PixelSpacing", [f.spacing for f in frames])
    normal = frames[0].normal
    along = sorted(frames, key=lambda f: float(np.dot(_position(f), normal)))
    _check_distinct(path, along)
    return along


def geometry(path: Path, frames: Sequence[Frame]) -> tuple[Geometry, list[str]]:
    """The grid (columns, rows, slices) of ordered frames, and notes.

    Raises:
        GeometryError: slices missing, or not on a straight line; no pixel spacing.
    """
    first = frames[0]
    if first.spacing is None or first.orientation is None:
        raise GeometryError(f"{first.header.path}: has a position, but no PixelSpacing")
    step, notes = _step(path, frames)
    affine = np.eye(4)
    affine[:3, 0] = first.orientation[0] * first.spacing[1]
    affine[:3, 1] = first.orientation[1] * first.spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = _position(first)
    columns, rows = _size(first)
    try:
        grid = Geometry(_LPS_TO_RAS @ affine, (columns, rows, len(frames)))
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from error
    return grid, notes


def _step(path: Path, frames: Sequence[Frame]) -> tuple[Floats, list[str]]:
    """From one slice to the next, in LPS millimetres."""
    normal = frames[0].normal
    if len(frames) == 1:
        thickness = frames[0].thickness
        notes = [] if thickness else ["the header gives the slice no thickness: 1 mm is taken"]
        return normal * (thickness or 1.0), notes
    places = np.array([_position(f) for f in frames])
    step: Floats = (places[-1] - places[0]) / (len(frames) - 1)
    even = places[0] + np.arange(len(frames))[:, None] * step
    off = np.linalg.norm(places - even, axis=1)
    if off.max() > _UNEVEN * np.linalg.norm(step):
        raise GeometryError(f"{path}: {_uneven(places @ normal, places)}")
    cosine = abs(step @ normal) / np.linalg.norm(step)
    tilt = float(np.degrees(np.arccos(np.minimum(cosine, 1.0))))
    return step, [f"the slices are tilted by {tilt:.2f}° (kept as a sheared grid)"] if tilt > 0.1 else []


def _uneven(along: Floats, places: Floats) -> str:
    """Where the gap is, in millimetres along the normal."""
    gaps = np.diff(along)
    usual = float(np.median(gaps))
    wide = np.flatnonzero(gaps > (1 + _UNEVEN) * usual)
    if wide.size and usual > 0:
        k = int(wide[0])
        more = f", and {wide.size - 1} more gaps" if wide.size > 1 else ""
        return (
            f"slices are missing: {gaps[k]:.4g} mm lie between the slices at {along[k]:.2f} and"
            f" {along[k + 1]:.2f} mm (along the normal), {usual:.4g} mm between most others{more};"
            " complete the series, or resample it"
        )
    lengths = np.linalg.norm(np.diff(places, axis=0), axis=1)
    return (
        f"its {len(places)} slices are not evenly spaced on a straight line (distances from"
        f" {lengths.min():.4g} to {lengths.max():.4g} mm); put the evenly spaced ones into a folder"
    )


def _check_alike(path: Path, frames: Sequence[Frame], what: str, values: Sequence[Floats | None]) -> None:
    """Raise where frames of one series differ, as a localiser's do."""
    kinds: list[tuple[Floats | None, list[Frame]]] = []
    for frame, value in zip(frames, values, strict=True):
        members = next((those for kind, those in kinds if _same(kind, value)), None)
        if members is None:
            kinds.append((value, [frame]))
        else:
            members.append(frame)
    if len(kinds) == 1:
        return
    kinds.sort(key=lambda kind: -len(kind[1]))
    listed = "; ".join(f"{len(those)} × {_text(kind)}" for kind, those in kinds[:4])
    raise GeometryError(
        f"{path}: the images of this series differ in {what} ({listed}),"
        f" first {kinds[1][1][0].header.path.name}; a localiser? Put the images of one volume into a folder of their own"
    )


def _same(a: Floats | None, b: Floats | None) -> bool:
    """Equal but for rounding in headers."""
    if a is None or b is None:
        return a is b
    return bool(np.allclose(a, b, rtol=0, atol=1e-4))


def _text(values: Floats | None) -> str:
    return "absent" if values is None else "[" + ", ".join(f"{x:.4g}" for x in values.ravel()) + "]"


def _check_distinct(path: Path, frames: Sequence[Frame]) -> None:
    """Raise where several frames lie at one place: echoes, time points, b-values."""
    places = np.array([_position(f) for f in frames])
    near = 0.01 * (1.0 if frames[0].spacing is None else float(frames[0].spacing.min()))
    same = np.linalg.norm(np.diff(places, axis=0), axis=1) < near
    if not same.any():
        return
    k = int(np.argmax(same))
    there = [f for f, place in zip(frames, places, strict=True) if np.linalg.norm(place - places[k]) < near]
    raise GeometryError(
        f"{path}: {len(frames)} images lie at {len(frames) - int(same.sum())} places; the {len(there)} at"
        f" {places[k] @ frames[0].normal:.2f} mm (along the normal) {differing(there)}; put the"
        " images of one volume into a folder of their own"
    )


def _position(frame: Frame) -> Floats:
    if frame.position is None:
        raise GeometryError(
            f"{frame.header.path}: has no ImagePositionPatient, others of its series have one"
        )
    return frame.position


def _size(frame: Frame) -> tuple[int, int]:
    """Columns and rows."""
    return int(frame.header.dataset.Columns), int(frame.header.dataset.Rows)
