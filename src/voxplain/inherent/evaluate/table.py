"""One table: every score by every threshold, honest and oracle side by side, and what knows nothing beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from voxplain.errors import InputError
from voxplain.inherent.evaluate.localisation import Asked, localisation
from voxplain.inherent.evaluate.map_quality import map_quality
from voxplain.inherent.evaluate.rows import Result
from voxplain.inherent.maps import Bools, Maps
from voxplain.inherent.mask.components import Components
from voxplain.inherent.mask.refine import Refinement
from voxplain.inherent.mask.segment import HealthyRule, Segmentation
from voxplain.inherent.score_map import ClassScore, ImageIntensity, RandomMap, ScoreMap, WholeImage
from voxplain.inherent.threshold.healthy import HealthyQuantile
from voxplain.inherent.threshold.held_out import HeldOutMasks, Oracle
from voxplain.inherent.threshold.threshold import Threshold
from voxplain.inherent.threshold.unsupervised import MultiOtsu, Otsu, ZeroEvidence


def all_thresholds() -> list[Threshold]:
    """One of every supervision, the oracles last."""
    return [
        ZeroEvidence(),
        Otsu(),
        MultiOtsu(),
        HealthyQuantile(),
        HeldOutMasks(),
        Oracle(),
        Oracle(per="image"),
    ]


@dataclass(frozen=True)
class Protocol:
    """What every score goes through, so that they compare.

    Args:
        scores: those of the network and those that know nothing; the row "whole image" is added by itself.
        thresholds: not fitted.
        healthy, components, refinement: as in `Segmentation`.
        boxes: whether to make boxes.
    """

    scores: Sequence[ScoreMap] = field(default_factory=lambda: [ClassScore(), ImageIntensity(), RandomMap()])
    thresholds: Sequence[Threshold] = field(default_factory=all_thresholds)
    healthy: HealthyRule = "no mask"
    components: Components = field(default_factory=Components)
    refinement: Refinement | None = None
    boxes: bool = True


def compare(
    test: Maps,
    validation: Maps,
    protocol: Protocol | None = None,
    asked: Asked | None = None,
    strata: Mapping[str, Bools] | None = None,
) -> Result:
    """Fit each threshold on what its supervision allows, and score all on the same cases.

    Thresholds from image labels and from masks are fitted on the validation cases, oracles on the test cases, for every
    score anew: brightness gets the protocol that the network gets.

    Args:
        test: cases to score.
        validation: cases of other patients.
        strata: of the test cases, see `size_strata`.

    Raises:
        InputError: patients on both sides, or a threshold that cannot be fitted on the validation cases.
    """
    protocol, asked = protocol or Protocol(), asked or Asked()
    shared = sorted(set(test.groups) & set(validation.groups))
    if shared:
        raise InputError(
            f"validation: found patients of the test cases too, such as {shared[0]!r}; split by patient"
        )
    result = Result([], [])
    for score in protocol.scores:
        result += Result(map_quality(test, score, asked, boxes=protocol.boxes), [])
        for threshold in protocol.thresholds:
            fitted = threshold.fit(test if threshold.is_oracle else validation, score)
            result += localisation(test, _segmentation(fitted, protocol), asked, strata)
    everything = _segmentation(ZeroEvidence().fit(None, WholeImage()), protocol)
    result += Result(map_quality(test, WholeImage(), asked, boxes=protocol.boxes), [])
    return result + localisation(test, everything, asked, strata)


def _segmentation(threshold: Threshold, protocol: Protocol) -> Segmentation:
    return Segmentation(threshold, protocol.healthy, protocol.components, protocol.refinement)
