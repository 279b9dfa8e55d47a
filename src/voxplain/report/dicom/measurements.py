"""What each segment takes of each map, as a structured report that refers to the segments (TID 1500)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import voxplain
from voxplain.report.dicom.codes import private, term
from voxplain.report.dicom.common import SERIES, new, stamped, who
from voxplain.report.dicom.content import BANNER, Origin, Segment, VoxelMap, identifier, short

if TYPE_CHECKING:
    from voxplain.report.dicom.source import Source

MEAN, SUM, DENSITY, SHARE = (
    "mean attribution",
    "sum of attribution",
    "attribution per millilitre",
    "share of absolute attribution",
)


def region_numbers(values: NDArray[Any], mask: NDArray[np.bool_], voxel_ml: float) -> dict[str, float]:
    """Sums of a map over a region.

    Args:
        values: (*spatial).
        mask: (*spatial), with at least one voxel.
        voxel_ml: volume of a voxel.

    Returns:
        The volume in ml, mean and sum in the map's unit, the sum per ml, and the share of the whole map's |value| in %.

    >>> found = region_numbers(np.array([3.0, -1, 1, 0]), np.array([True, True, False, False]), 0.5)
    >>> [round(v, 6) for v in found.values()]
    [1.0, 1.0, 2.0, 2.0, 80.0]
    """
    inside, everything = values[mask].astype(np.float64), float(np.abs(values).sum(dtype=np.float64))
    total, volume = float(inside.sum()), inside.size * voxel_ml
    share = 100 * float(np.abs(inside).sum()) / everything if everything else 0.0
    return {"volume": volume, MEAN: total / inside.size, SUM: total, DENSITY: total / volume, SHARE: share}


def measurements(
    source: Source,
    voxel_maps: Sequence[VoxelMap],
    segments: Sequence[Segment],
    segmentation: Any,
    origin: Origin,
) -> Any:
    """One group of numbers per map and segment.

    Args:
        source: the series.
        voxel_maps: on its grid.
        segments: of the segmentation, in its order.
        segmentation: the DICOM object that the groups refer to.
        origin: who made them.
    """
    from highdicom.sr import Comprehensive3DSR, MeasurementReport
    from pydicom.sr.codedict import codes

    content = [(m.method, m.target, m.values) for m in voxel_maps]
    series, instance = new(source, origin, "sr", str(segmentation.SOPInstanceUID), *sum(content, ()))
    groups = [
        _group(source, voxel_map, segment, number, segmentation, instance)
        for voxel_map in voxel_maps
        for number, segment in enumerate(segments, 1)
    ]
    report = MeasurementReport(
        observation_context=_observer(),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    dataset = Comprehensive3DSR(
        evidence=[*source.images, segmentation],
        content=report,
        is_complete=True,
        is_final=False,
        is_verified=False,
        **who(series, SERIES["sr"], instance, short(f"{BANNER}: numbers by region")),
    )
    return stamped(dataset, source, origin)


def _observer() -> Any:
    """A program; nobody looked at it."""
    from highdicom.sr import DeviceObserverIdentifyingAttributes, ObservationContext, ObserverContext
    from pydicom.sr.codedict import codes

    attributes = DeviceObserverIdentifyingAttributes(
        uid=identifier("voxplain"),
        name="voxplain",
        manufacturer_name="voxplain",
        model_name=f"voxplain {voxplain.__version__}",
    )
    device = ObserverContext(observer_type=codes.DCM.Device, observer_identifying_attributes=attributes)
    return ObservationContext(observer_device_context=device)


def _group(
    source: Source, voxel_map: VoxelMap, segment: Segment, number: int, segmentation: Any, report: str
) -> Any:
    from highdicom.sr import (
        AlgorithmIdentification,
        FindingSite,
        ReferencedSegment,
        SourceSeriesForSegmentation,
        TrackingIdentifier,
        VolumetricROIMeasurementsAndQualitativeEvaluations as Group,
    )
    from pydicom.sr.codedict import codes

    known = term(segment.name)
    is_organ = known.known and known.category == codes.SCT.AnatomicalStructure
    found = region_numbers(voxel_map.values, segment.mask, source.geometry.voxel_volume / 1000)
    return Group(
        tracking_identifier=TrackingIdentifier(
            uid=identifier("group", report, voxel_map.name, number),
            identifier=f"{segment.name}: {voxel_map.name}",
        ),
        # not read from the frames, where highdicom looks in vain for a segmentation's only segment
        referenced_segment=ReferencedSegment(
            segmentation.SOPClassUID,
            segmentation.SOPInstanceUID,
            number,
            source_series=SourceSeriesForSegmentation(source.series),
        ),
        finding_type=known.kind,
        finding_sites=[FindingSite(known.kind, laterality=known.side)] if is_organ else None,
        algorithm_id=AlgorithmIdentification(
            name=voxel_map.method,
            version=f"voxplain {voxplain.__version__}",
            parameters=[f"{name}={value}" for name, value in voxel_map.parameters.items()]
            + [f"target={voxel_map.target}", f"unit={voxel_map.unit}"],
        ),
        measurements=[_measured(name, value) for name, value in found.items()],
    )


def _measured(name: str, value: float) -> Any:
    """One number, rounded to what a decimal string of 16 characters holds."""
    from highdicom.sr import CodedConcept, Measurement
    from pydicom.sr.codedict import codes

    units = {
        "volume": CodedConcept("ml", "UCUM", "milliliter"),
        DENSITY: CodedConcept("/ml", "UCUM", "per milliliter"),
        SHARE: CodedConcept("%", "UCUM", "percent"),
    }
    concept = codes.SCT.Volume if name == "volume" else private(name)
    return Measurement(name=concept, value=float(f"{value:.8g}"), unit=units.get(name, codes.UCUM.NoUnits))
