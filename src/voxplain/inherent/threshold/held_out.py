"""A threshold from a few masks of other patients (the protocol of Choe et al., CVPR 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.bootstrap import patients, redrawn
from voxplain.inherent.maps import Floats, Maps, truths_of
from voxplain.inherent.overlap import dice_at
from voxplain.inherent.score_map import ClassScore, ScoreMap
from voxplain.inherent.threshold.candidates import candidates
from voxplain.inherent.threshold.threshold import Supervision, Threshold

Objective = Literal["mean", "median"]


@dataclass(frozen=True)
class HeldOutMasks(Threshold):
    """The threshold with the best Dice on n held-out cases.

    Args:
        count: n, drawn at random from the cases that show a lesion; None takes all.
        objective: the mean or the median of the cases' Dice.
        seed: of the draw and of the bootstrap.
        draws: of the bootstrap over patients that gives the intervals of the threshold and of the best Dice.
        level: of these intervals.
        steps: thresholds that are tried, see `candidates`.

    What fitting found, beside the value: ``dice`` (the best, on the cases that it was chosen on: optimistic),
    ``dice_low``, ``dice_high``, ``value_low``, ``value_high``, ``cases``, ``patients``. For fewer than three patients the
    interval is NaN.
    """

    count: int | None = 20
    objective: Objective = "mean"
    seed: int = 0
    draws: int = 500
    level: float = 0.95
    steps: int = 1024
    name: ClassVar[str] = "masks"
    supervision: ClassVar[Supervision] = "masks"

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise InputError(f"count: found {self.count}, expected at least 1, or None for all cases")
        if self.objective not in ("mean", "median"):
            raise InputError(f"objective: found {self.objective!r}, expected mean or median")

    def fit(self, maps: Maps, score: ScoreMap | None = None) -> Self:
        """Fit on ``count`` of the cases with a lesion in their masks; the others are not looked at.

        Raises:
            InputError: there are not as many.
        """
        score = score or ClassScore()
        chosen = self._chosen(maps)
        values, dices = dice_table(chosen, score, self.steps)
        best = _best(_joined(dices, self.objective))
        return self._with(chosen, score, float(values[best]), **self._evidence(chosen, values, dices, best))

    def _chosen(self, maps: Maps) -> Maps:
        with_lesion = int(maps.has_lesion.sum())
        if with_lesion < (self.count or 1):
            raise InputError(
                f"count: found {with_lesion} cases with a lesion in their mask, expected {self.count or 1}"
            )
        lesions = maps.take(maps.has_lesion).ordered()
        if self.count is None:
            return lesions
        rng = np.random.default_rng([self.seed, 0x3A5C])
        return lesions.take(np.sort(rng.choice(len(lesions), self.count, replace=False)))

    def _evidence(
        self, chosen: Maps, values: Floats, dices: NDArray[np.float64], best: int
    ) -> dict[str, Any]:
        code = patients(chosen.groups)
        again_values, again_dice = [], []
        for weights in redrawn(code, self.draws, seed=self.seed):
            curve = _joined(np.repeat(dices, weights, axis=0), self.objective)
            again_values.append(float(values[_best(curve)]))
            again_dice.append(float(curve.max()))
        tails = [(1 - self.level) / 2, (1 + self.level) / 2]
        low, high = np.quantile(again_values, tails).tolist() if again_values else (float("nan"),) * 2
        dice_low, dice_high = np.quantile(again_dice, tails).tolist() if again_dice else (float("nan"),) * 2
        return {
            "dice": float(_joined(dices, self.objective)[best]),
            "dice_low": dice_low,
            "dice_high": dice_high,
            "value_low": low,
            "value_high": high,
            "cases": len(chosen),
            "patients": int(code.max()) + 1,
        }


@dataclass(frozen=True)
class Oracle(Threshold):
    """The best threshold with the truth in hand: an upper bound, labelled as such, and nothing that a user can have.

    Args:
        per: "data set", one threshold with the best mean Dice over the cases that it is fitted on; "image", the best of
            each case.
        steps: thresholds that are tried, see `candidates`.
    """

    per: Literal["data set", "image"] = "data set"
    objective: Objective = "mean"
    steps: int = 1024
    name: ClassVar[str] = "oracle"
    supervision: ClassVar[Supervision] = "oracle"
    note: ClassVar[str] = "chosen with the truth that it is scored with"

    def __post_init__(self) -> None:
        if self.per not in ("data set", "image"):
            raise InputError(f"per: found {self.per!r}, expected 'data set' or 'image'")

    def fit(self, maps: Maps, score: ScoreMap | None = None) -> Self:
        """Fit on the cases with a lesion among these, which are the ones to score.

        Raises:
            InputError: none has a lesion in its mask.
        """
        if not maps.has_lesion.any():
            raise InputError("masks: found no lesion in any, expected some to fit the oracle on")
        score, chosen = score or ClassScore(), maps.take(maps.has_lesion)
        if self.per == "image":
            return self._with(chosen, score, None)
        values, dices = dice_table(chosen, score, self.steps)
        return self._with(chosen, score, float(values[_best(_joined(dices, self.objective))]))

    def __call__(self, score_map: Floats, truth: NDArray[np.bool_] | None = None) -> float:
        """Per image, a case without a lesion or without a truth gets its maximum: nothing is marked."""
        if self.per == "data set":
            return super().__call__(score_map, truth)
        if truth is None or not truth.any():
            return float(score_map.max())
        values = candidates([score_map], [truth], self.steps)
        return float(values[_best(dice_at(score_map, truth, values))])


def dice_table(maps: Maps, score: ScoreMap, steps: int) -> tuple[Floats, NDArray[np.float64]]:
    """Thresholds (M,) worth trying, and the Dice (N, M) of each case, all of which have a lesion."""
    scores, truths = score.all(maps), truths_of(maps)
    values = candidates(scores, truths, steps)
    return values, np.stack([dice_at(s, t, values) for s, t in zip(scores, truths, strict=True)])


def _joined(dices: NDArray[np.float64], objective: Objective) -> NDArray[np.float64]:
    return np.asarray(dices.mean(axis=0) if objective == "mean" else np.median(dices, axis=0))


def _best(curve: NDArray[np.float64]) -> int:
    """The middle of the first stretch of thresholds that are best: the ends of a stretch are chance."""
    tied = curve >= curve.max() - 1e-12
    start = int(tied.argmax())
    rest = np.flatnonzero(~tied[start:])
    return start + (int(rest[0]) if len(rest) else len(curve) - start) // 2
