"""From settings to a fitted threshold and the mask that it makes."""

from __future__ import annotations

from typing import Any

from voxplain.errors import InputError
from voxplain.inherent.maps import Maps
from voxplain.inherent.mask import Components, DenseCrf, RandomWalker, Segmentation
from voxplain.inherent.mask.refine import Refinement
from voxplain.inherent.score_map import ClassScore, ScoreMap
from voxplain.inherent.settings.config import MaskSettings
from voxplain.inherent.threshold import MultiOtsu, Otsu, Threshold, ZeroEvidence

WHY = {
    "none": "no label and no mask was used to find it",
    "image labels": "found from healthy validation images alone, no mask was used",
    "masks": "found from masks of validation patients",
    "oracle": "chosen with the truth that it is scored with; nobody has it for a new image",
}


def score_of(asked: MaskSettings, healthy: int | None) -> ScoreMap:
    """What is thresholded: the contrast to healthy, or, without such a class, to the strongest other one."""
    kind = asked.score
    if kind == "auto":
        kind = "contrast" if healthy is not None else "margin"
    return ClassScore(kind)


def segmentation_of(asked: MaskSettings, threshold: Threshold) -> Segmentation:
    """The steps from map to mask."""
    return Segmentation(threshold, asked.healthy, components_of(asked), refinement_of(asked))


def components_of(asked: MaskSettings) -> Components:
    """Which connected parts stay."""
    return Components(asked.keep, at_least_voxels=asked.at_least_voxels, at_least_share=asked.at_least_share)


def refinement_of(asked: MaskSettings) -> Refinement | None:
    """What moves borders, or nothing."""
    kinds: dict[str, type[Refinement]] = {"random walker": RandomWalker, "dense CRF": DenseCrf}
    return None if asked.refine is None else kinds[asked.refine]()


def fitted(threshold: Threshold, score: ScoreMap, validation: Maps | None) -> tuple[Threshold | None, str]:
    """The threshold fitted on the validation part, or why it cannot be; one without supervision takes none."""
    if isinstance(threshold, ZeroEvidence | Otsu | MultiOtsu):
        return threshold.fit(None, score), ""
    assert validation is not None
    try:
        return threshold.fit(validation, score), ""
    except InputError as error:
        return None, f"threshold {threshold.title}: {error}"


def written(segmentation: Segmentation) -> dict[str, Any]:
    """What is written beside masks: their threshold, and under ``mask`` the steps after it."""
    steps = segmentation.to_dict()
    return {**steps.pop("threshold"), "mask": steps}


def told(threshold: Threshold) -> str:
    """A threshold in a sentence: value, supervision, on how many it was fitted."""
    found = threshold.found
    value = "found on each image anew" if found.value is None else f"{found.value:.4g}"
    cases = f", {len(found.ids)} images of {len(found.groups)} patients" if found.ids else ""
    return f"{threshold.title}: {value} ({WHY[threshold.supervision]}{cases})"
