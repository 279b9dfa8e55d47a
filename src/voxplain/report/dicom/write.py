"""Maps and segments into a new folder of DICOM files."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from voxplain.case.atomic import whole
from voxplain.errors import InputError, suggest
from voxplain.report.colours import check_finite
from voxplain.report.dicom.capture import captures
from voxplain.report.dicom.common import require_highdicom
from voxplain.report.dicom.content import Origin, Segment, VoxelMap
from voxplain.report.dicom.measurements import measurements
from voxplain.report.dicom.parametric_map import parametric_map
from voxplain.report.dicom.segmentation import segmentation
from voxplain.report.dicom.source import Source
from voxplain.target.scene import slug

KINDS = {
    "sc": "Secondary Capture of key slices",
    "seg": "Segmentation of the prediction",
    "pm": "Parametric Map of every voxel map",
    "sr": "structured report with numbers by region",
}


def write_dicom(
    folder: str | Path,
    source: Source,
    voxel_maps: Sequence[VoxelMap],
    segments: Sequence[Segment],
    origin: Origin,
    *,
    kinds: Sequence[str] | None = None,
    slices: int = 3,
) -> list[Path]:
    """Write objects that refer to the series, all or none.

    Args:
        folder: a new one.
        source: the series that the image came from.
        voxel_maps: in any order of axes; on the series' grid.
        segments: as the maps; those without a voxel are left out.
        origin: who made them, and whether patient and study are named.
        kinds: of `KINDS`; by default all that there is something for. The report brings the segments that it refers to.
        slices: pictures of each map.

    Raises:
        InputError: an unknown kind, nothing to write, values that are not finite, highdicom is missing.
        GeometryError: maps or segments on another grid than the series.
        StorageError: the folder is not empty or cannot be written to.
    """
    require_highdicom()
    maps = [_placed(source, voxel_map) for voxel_map in voxel_maps]
    drawn = [replace(s, mask=source.fit(s.mask, s.geometry, f"segment {s.name!r}")) for s in segments]
    drawn = [s for s in drawn if s.mask.any()]
    chosen = _chosen(kinds, maps, drawn)
    with _discreet(), whole(Path(folder), folder=True, parents=True) as temporary:
        names = []
        for name, dataset in _made(chosen, source, maps, drawn, origin, slices):
            dataset.save_as(temporary / name, enforce_file_format=True)
            names.append(name)
    return [Path(folder) / name for name in names]


def _placed(source: Source, voxel_map: VoxelMap) -> VoxelMap:
    """The map in the order of the series' voxels, its channels added up."""
    values, dims = np.asarray(voxel_map.values), 3 if voxel_map.geometry is None else voxel_map.geometry.ndim
    check_finite(values, voxel_map.name)
    total = values.sum(axis=0, dtype=np.float64) if values.ndim == dims + 1 else values
    fitted = source.fit(total.astype(np.float32), voxel_map.geometry, voxel_map.name)
    return replace(voxel_map, values=fitted, geometry=source.geometry)


def _chosen(kinds: Sequence[str] | None, maps: Sequence[VoxelMap], segments: Sequence[Segment]) -> list[str]:
    """The kinds to write, in order."""
    able = {"sc": bool(maps), "seg": bool(segments), "pm": bool(maps), "sr": bool(maps and segments)}
    for kind in kinds or ():
        if kind not in KINDS:
            raise InputError(f"kinds: found {kind!r}; {suggest(kind, KINDS)}")
        if not able[kind]:
            raise InputError(
                f"kinds: {kind} ({KINDS[kind]}) was asked for, but there are {len(maps)} maps and"
                f" {len(segments)} predicted classes with a place in the image"
            )
    asked = set(kinds or (kind for kind in KINDS if able[kind]))
    if not asked:
        raise InputError("found neither a map nor a predicted class with a place in the image")
    return [kind for kind in KINDS if kind in asked or (kind == "seg" and "sr" in asked)]


def _made(
    kinds: Sequence[str],
    source: Source,
    maps: Sequence[VoxelMap],
    segments: Sequence[Segment],
    origin: Origin,
    slices: int,
) -> Iterator[tuple[str, Any]]:
    """File names and objects, one at a time."""
    segmented = segmentation(source, segments, origin) if "seg" in kinds else None
    if segmented is not None:
        yield "seg.dcm", segmented
    if "sr" in kinds:
        yield "sr.dcm", measurements(source, maps, segments, segmented, origin)
    for number, voxel_map in enumerate(maps):
        name = f"{slug(voxel_map.method)}-{slug(voxel_map.target)}"
        if "pm" in kinds:
            yield f"pm-{name}.dcm", parametric_map(source, voxel_map, origin, number=number)
        if "sc" in kinds:
            pictures = captures(source, voxel_map, segments, origin, count=slices, number=number)
            for count, picture in enumerate(pictures, 1):
                yield f"sc-{name}-{count}.dcm", picture


@contextmanager
def _discreet() -> Iterator[None]:
    """Libraries quote header values in warnings and logs; loggers of their modules ask these two for their level."""
    loggers = [logging.getLogger(name) for name in ("highdicom", "pydicom")]
    before = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.CRITICAL + 1)
            yield
        finally:
            for logger, level in zip(loggers, before, strict=True):
                logger.setLevel(level)
