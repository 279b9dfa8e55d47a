"""A voxel map as a DICOM Parametric Map of float32, in the order in which all readers understand it.

Readers built on dcmqi (3D Slicer among them) take frames to be in the order of the slices' normal, whatever position each
frame states, and end without FrameAnatomySequence. highdicom writes standard axial series the other way round and no such
sequence: the map would be shown upside down. So both are mended here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.report.dicom.codes import private
from voxplain.report.dicom.common import SERIES, measures, new, stamped, who
from voxplain.report.dicom.content import BANNER, Origin, VoxelMap, short

if TYPE_CHECKING:
    from voxplain.report.dicom.source import Source


def parametric_map(source: Source, voxel_map: VoxelMap, origin: Origin, *, number: int = 0) -> Any:
    """One frame per slice of the series, ordered along the slices' normal.

    Args:
        source: the series.
        voxel_map: its values are (columns, rows, slices) on the series' grid.
        origin: who made it.
        number: tells the series of several maps apart.

    Raises:
        InputError: values that are not finite.
    """
    from highdicom.pm import ParametricMap

    frames = voxel_map.values.transpose(2, 1, 0).astype(np.float32)
    if not np.isfinite(frames).all():
        raise InputError(f"{voxel_map.name}: has NaN or infinite values, expected finite ones")
    parts = (
        voxel_map.method,
        voxel_map.target,
        voxel_map.unit,
        sorted(map(str, voxel_map.parameters.items())),
    )
    series, instance = new(source, origin, "pm", frames, *parts)
    limit = float(np.abs(frames).max()) or 1.0
    dataset = ParametricMap(
        source_images=list(source.images),
        pixel_array=frames,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_meaning(frames, voxel_map)],
        voi_lut_transformations=[_window(limit)],
        pixel_measures=measures(source),
        content_label="ATTRIBUTION",
        content_description=short(f"{BANNER}. {voxel_map.name}"),
        content_creator_name="voxplain^",
        content_qualification="RESEARCH",
        **who(series, SERIES["pm"] + number, instance, f"Research: {voxel_map.name}"),
    )
    _add_anatomy(dataset, source)
    _order_frames(dataset, frames.shape)
    return stamped(dataset, source, origin)


def _meaning(frames: NDArray[np.float32], voxel_map: VoxelMap) -> Any:
    """Stored values are the map's own; their unit is that of the network's score."""
    from highdicom.pm import RealWorldValueMapping
    from pydicom.sr.codedict import codes

    return RealWorldValueMapping(
        lut_label="attribution",
        lut_explanation=short(f"{voxel_map.unit}; {voxel_map.name}"),
        unit=codes.UCUM.NoUnits,
        value_range=(float(frames.min()), float(frames.max())),
        slope=1.0,
        intercept=0.0,
        quantity_definition=private("attribution"),
    )


def _window(limit: float) -> Any:
    """From -limit to limit, grey at zero; exact, since a plain window may not be narrower than 1."""
    from highdicom import VOILUTTransformation

    return VOILUTTransformation(
        window_center=0.0, window_width=float(f"{2 * limit:.8g}"), voi_lut_function="LINEAR_EXACT"
    )


def _add_anatomy(dataset: Any, source: Source) -> None:
    """Say that it is not known which part of the body it is, since headers of series seldom say it in a code."""
    from highdicom.sr import CodedConcept
    from pydicom.dataset import Dataset

    anatomy = Dataset()
    anatomy.AnatomicRegionSequence = [CodedConcept("38266002", "SCT", "Entire body")]
    anatomy.FrameLaterality = "U"
    dataset.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [anatomy]


def _order_frames(dataset: Any, shape: tuple[int, ...]) -> None:
    """Sort pixels and the frames' own groups along the normal, and number the frames so."""
    groups = list(dataset.PerFrameFunctionalGroupsSequence)
    axes = dataset.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0].ImageOrientationPatient
    normal = np.cross(np.array(axes[:3], float), np.array(axes[3:], float))
    along = [float(normal @ np.array(g.PlanePositionSequence[0].ImagePositionPatient, float)) for g in groups]
    order = np.argsort(along, kind="stable")
    stored = np.frombuffer(dataset.FloatPixelData, "<f4").reshape(shape)
    dataset.FloatPixelData = np.ascontiguousarray(stored[order]).tobytes()
    dataset.PerFrameFunctionalGroupsSequence = [groups[k] for k in order]
    for place, group in enumerate(dataset.PerFrameFunctionalGroupsSequence, 1):
        group.FrameContentSequence[0].DimensionIndexValues = [place]
