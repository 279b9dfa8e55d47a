"""Predicted classes as a DICOM Segmentation on the grid of the series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import voxplain
from voxplain.errors import InputError
from voxplain.report.colours import OUTLINES
from voxplain.report.dicom.codes import term
from voxplain.report.dicom.common import SERIES, measures, new, stamped, who
from voxplain.report.dicom.content import BANNER, Origin, Segment, identifier, short

if TYPE_CHECKING:
    from voxplain.report.dicom.source import Source


def segmentation(source: Source, segments: Sequence[Segment], origin: Origin) -> Any:
    """One binary segment per class, numbered from 1; classes may overlap.

    Args:
        source: the series.
        segments: masks (columns, rows, slices) on its grid; empty ones are left out by the caller.
        origin: who made them.

    Raises:
        InputError: no segment, or one that is empty.
    """
    from highdicom.seg import Segmentation, SegmentationTypeValues

    for segment in segments:
        if not segment.mask.any():
            raise InputError(f"segment {segment.name!r}: is empty, expected at least one voxel")
    if not segments:
        raise InputError("segmentation: no class is predicted anywhere, expected at least one")
    masks = np.stack([s.mask.transpose(2, 1, 0) for s in segments], axis=-1)
    series, instance = new(source, origin, "seg", masks, [s.name for s in segments])
    dataset = Segmentation(
        source_images=list(source.images),
        pixel_array=masks.astype(np.uint8),
        segmentation_type=SegmentationTypeValues.BINARY,
        segment_descriptions=[_described(n, s, origin, instance) for n, s in enumerate(segments, 1)],
        pixel_measures=measures(source),
        content_label="PREDICTION",
        content_description=short(f"{BANNER}. Predicted by {origin.model}"),
        content_creator_name="voxplain^",
        content_qualification="RESEARCH",
        **who(series, SERIES["seg"], instance, f"Research: prediction of {origin.model}"),
    )
    return stamped(dataset, source, origin)


def _described(number: int, segment: Segment, origin: Origin, instance: str) -> Any:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from highdicom.sr import CodedConcept
    from pydicom.sr.codedict import codes

    known, colour = term(segment.name), OUTLINES[(number - 1) % len(OUTLINES)]
    description = SegmentDescription(
        segment_number=number,
        segment_label=short(segment.name),
        segmented_property_category=known.category,
        segmented_property_type=known.kind,
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=short(origin.model),
            family=codes.DCM.ArtificialIntelligence,
            version=short(origin.model_version),
            source=f"voxplain {voxplain.__version__}",
        ),
        tracking_uid=identifier("segment", instance, number),
        tracking_id=short(f"{number} {segment.name}"),
        display_color=CIELabColor.from_rgb(*(int(colour[i : i + 2], 16) for i in (1, 3, 5))),
    )
    if known.side is not None:
        kind = description.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = [CodedConcept.from_code(known.side)]
    return description
