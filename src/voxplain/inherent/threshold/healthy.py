"""A threshold from image labels alone: healthy cases say how high a map may rise where there is nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.maps import Floats, Maps
from voxplain.inherent.score_map import ClassScore, ScoreMap
from voxplain.inherent.threshold.threshold import Supervision, Threshold

_ROUNDING = 1e-9  # (n + 1)(1 − α) is a whole number where it should be


@dataclass(frozen=True)
class HealthyQuantile(Threshold):
    """At most a share of healthy cases may fire.

    A case fires where more than ``spared`` of its voxels lie above the threshold; with 0, where its maximum does. The
    smallest threshold at which a case does not fire is its height. Of n healthy cases the threshold is the
    ``⌈(n + 1)(1 − α)⌉``-th smallest height; a fresh case that is exchangeable with them then fires with a probability of
    at most α, whatever the network and the distribution (split conformal; Vovk, Gammerman & Shafer, 2005).

    Cases of one patient are not exchangeable with those of another. With ``unit="image"`` each patient has the weight of
    one case, divided among theirs (the pooled distribution of Dunn, Wasserman & Ramdas, 2022): exact for one case per
    patient, asymptotic in the number of patients otherwise. With ``unit="patient"`` a patient's height is the largest of
    theirs, and at most α of healthy patients fire on any of their cases: exact, and stricter.

    Args:
        share: α, in (0, 1).
        spared: share of a case's voxels that may lie above without its firing, in [0, 1). The mask must then leave out
            as much (`Components.at_least_share`), or healthy cases have specks.
        unit: what at most α of fires.
        floor: the threshold is never below; a higher one fires no more often, so that the guarantee stays. Where a class
            is asked for against its absence, evidence below 0 speaks against it, also where healthy cases have even less.
            None is no such bound.
    """

    share: float = 0.05
    spared: float = 0.0
    unit: Literal["image", "patient"] = "image"
    floor: float | None = None
    name: ClassVar[str] = "healthy"
    supervision: ClassVar[Supervision] = "image labels"

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise InputError(f"share: found {self.share}, expected a share between 0 and 1")
        if not 0 <= self.spared < 1:
            raise InputError(f"spared: found {self.spared}, expected at least 0 and less than 1")
        if self.unit not in ("image", "patient"):
            raise InputError(f"unit: found {self.unit!r}, expected image or patient")

    def fit(self, maps: Maps, score: ScoreMap | None = None) -> Self:
        """Fit on the healthy cases among these; the others are not looked at.

        Raises:
            InputError: no healthy class or case, or too few patients for the share: at least ``⌈1 / α⌉ − 1``.
        """
        if maps.healthy is None or not maps.is_healthy.any():
            raise InputError("maps: found no healthy case, expected some to fit the threshold 'healthy' on")
        healthy, score = maps.take(maps.is_healthy), score or ClassScore()
        heights = np.array([self.height(s) for s in score.all(healthy)])
        groups = np.unique(np.array(healthy.groups), return_inverse=True)[1]
        patients = int(groups.max()) + 1
        needed = math.ceil(1 / self.share - _ROUNDING) - 1
        if patients < needed:
            raise InputError(
                f"share: found {self.share} with {patients} healthy patients, expected at least {needed}, or a larger share"
            )
        if self.unit == "patient":
            largest = np.full(patients, -np.inf)
            np.maximum.at(largest, groups, heights)
            value = conformal(largest, np.ones(patients), self.share)
        else:
            value = conformal(heights, 1 / np.bincount(groups)[groups], self.share)
        value = value if self.floor is None else max(value, float(self.floor))
        exact = self.unit == "patient" or patients == len(heights)
        fires = float((heights > value).mean())
        return self._with(
            healthy, score, value, cases=len(heights), patients=patients, exact=exact, fires=fires
        )

    def height(self, score_map: Floats) -> float:
        """The smallest threshold at which a map does not fire: its maximum, or the value that ``spared`` voxels exceed."""
        above = math.floor(self.spared * score_map.size + _ROUNDING)
        height = float(np.partition(score_map, -above - 1, axis=None)[-above - 1])
        return max(height, float(score_map[np.isfinite(score_map)].min()))

    def fires(self, score_map: Floats) -> bool:
        """Whether more than ``spared`` of the voxels lie above the fitted threshold."""
        return self.height(score_map) > self(score_map)


def conformal(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    """The smallest value at and below which a weight of ``(n + 1)(1 − α)`` lies, n the weight of all.

    Raises:
        InputError: there is no such value; n is too small.

    >>> conformal(np.arange(1.0, 20.0), np.ones(19), 0.05)
    19.0
    """
    total = weights.sum()
    needed = (total + 1) * (1 - share) - _ROUNDING
    order = np.argsort(values, kind="stable")
    sums = np.cumsum(weights[order])
    place = int(np.searchsorted(sums, needed))
    if place == len(values):
        raise InputError(
            f"share: found {share} with a weight of {total:g} cases, expected more cases or a larger share"
        )
    return float(values[order][place])
