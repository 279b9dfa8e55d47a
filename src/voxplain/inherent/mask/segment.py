"""From a map to a mask, step by step; every step can be looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from voxplain.errors import InputError
from voxplain.inherent.maps import Bools, Floats, Maps
from voxplain.inherent.mask.components import Components, Lesion, lesions
from voxplain.inherent.mask.refine import Refinement
from voxplain.inherent.threshold.threshold import Threshold

HealthyRule = Literal["no mask", "ignore"]
HEALTHY = "the prediction is healthy"
NOTHING_ABOVE = "nothing lies above the threshold"
TOO_SMALL = "no part is large enough"


@dataclass(frozen=True, eq=False)
class Segmented:
    """A case's mask and how it came about.

    Attributes:
        id: of the case.
        score: (*S) what was thresholded.
        threshold: the value.
        raw: (*S) score above threshold, before anything else.
        before: (*S) after the rule for healthy predictions and the components, before refinement.
        mask: (*S) the result; equal to ``before`` without a refinement.
        reason: why the mask is empty; "" where it is not.
        lesions: connected parts of the mask, the most confident first.
        refined: whether the mask is post-processed by a refinement.
    """

    id: str
    score: Floats
    threshold: float
    raw: Bools
    before: Bools
    mask: Bools
    reason: str
    lesions: list[Lesion]
    refined: bool


@dataclass(frozen=True)
class Segmentation:
    """Threshold, rule for healthy predictions, components, refinement, components again, in this order.

    Args:
        threshold: fitted.
        healthy: "no mask" leaves a case without a mask where the healthy class has the largest logit; "ignore" thresholds
            all alike, as the published models do. Without a healthy class, or of a score that no network made, there is
            no such prediction to follow.
        components: which parts stay.
        refinement: None is none.
    """

    threshold: Threshold
    healthy: HealthyRule = "no mask"
    components: Components = field(default_factory=Components)
    refinement: Refinement | None = None

    def __post_init__(self) -> None:
        if self.healthy not in ("no mask", "ignore"):
            raise InputError(f"healthy: found {self.healthy!r}, expected 'no mask' or 'ignore'")

    def __call__(self, maps: Maps, index: int = 0) -> Segmented:
        """One case of these, whatever the threshold was fitted on: `evaluate` refuses, a picture may be made."""
        score = self.threshold.found.score(maps, index)
        value = self.threshold(score, maps.masks[index])
        raw = np.asarray(score > value)
        spacing = maps.spacings[index]
        ruled_out = self.rules_out(maps, index)
        before = np.zeros_like(raw) if ruled_out else self.components(raw, spacing)
        mask = before
        if self.refinement is not None:
            refined = self.refinement(before, score, value, maps.images[index], spacing)
            mask = self.components(refined, spacing)
        reason = HEALTHY if ruled_out else NOTHING_ABOVE if not raw.any() else TOO_SMALL
        return Segmented(
            maps.ids[index],
            score,
            value,
            raw,
            before,
            mask,
            "" if mask.any() else reason,
            lesions(mask, score, spacing, self.components.connectivity),
            self.refinement is not None,
        )

    def all(self, maps: Maps) -> Iterator[Segmented]:
        """Case by case, so that not all masks are held at once."""
        return (self(maps, i) for i in range(len(maps)))

    def rules_out(self, maps: Maps, index: int) -> bool:
        """Whether the case's prediction leaves it without a mask."""
        follows = self.healthy == "no mask" and self.threshold.found.score.uses_network
        return follows and maps.healthy is not None and int(maps.predicted[index]) == maps.healthy

    def to_dict(self) -> dict[str, Any]:
        """Its parts by name, as JSON takes them."""
        refinement = self.refinement
        return {
            "threshold": self.threshold.to_dict(),
            "healthy": self.healthy,
            "components": vars(self.components).copy(),
            "refinement": None if refinement is None else {"name": refinement.name, **vars(refinement)},
        }
