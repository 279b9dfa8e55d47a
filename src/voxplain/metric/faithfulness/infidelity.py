"""Infidelity: how far a map's predictions of removals are from what the network does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from voxplain.metric.by_removal import ByRemoval, Numbers
from voxplain.metric.candidate import Candidate
from voxplain.metric.metric import register

NOT_IN_UNITS = (
    "the map is in no unit of the score, so that its size predicts nothing; see normalized_infidelity"
)


@register
@dataclass(frozen=True)
class Infidelity(ByRemoval):
    """``E[(Σ a·Δ − (F(x) − F(x − Δ)))²]`` over removals Δ (Yeh et al. 2019, equation 1).

    In squared units of the score. A map of zeros has ``E[effect²]``, which stands beside every figure. Only maps in
    the score's unit can be judged so.
    """

    name: ClassVar[str] = "infidelity"
    family: ClassVar[str] = "faithfulness"
    title: ClassVar[str] = "Infidelity"
    source: ClassVar[str] = "Yeh et al. 2019, arXiv:1901.09392"
    reads: ClassVar[str] = "mean squared error of the map's predictions, in squared score; 0 is exact"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    span: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    nulls: ClassVar[tuple[str, ...]] = ("zero",)

    def statistic(self, predicted: Numbers, true: Numbers) -> Numbers:
        return np.asarray(((predicted - true) ** 2).mean(-1))

    def refused(self, candidate: Candidate) -> str:
        return NOT_IN_UNITS if candidate.meaning == "rank" and not candidate.null else ""


@register
@dataclass(frozen=True)
class NormalizedInfidelity(ByRemoval):
    """``min_β E[(β Σ a·Δ − effect)²] / E[effect²]``: infidelity at the best scale of the map, between 0 and 1.

    With ``β = E[p·e] / E[p²]`` this is one minus the squared cosine of predictions and effects. A map of zeros has 1,
    the worst, where the plain figure rewards small maps. A negative β, a map that is right with the opposite sign,
    counts as none (β = 0).
    """

    name: ClassVar[str] = "normalized_infidelity"
    family: ClassVar[str] = "faithfulness"
    title: ClassVar[str] = "Normalised infidelity"
    source: ClassVar[str] = "Yeh et al. 2019, arXiv:1901.09392, with the optimal scale of its section 3"
    reads: ClassVar[str] = (
        "share of the removals' squared effect that the map cannot predict; 0 is exact, 1 as bad as zeros"
    )
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    span: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def statistic(self, predicted: Numbers, true: Numbers) -> Numbers:
        together = np.maximum((predicted * true).mean(-1), 0.0)
        sizes = (predicted**2).mean(-1) * (true**2).mean(-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(sizes > 0, 1 - together**2 / sizes, 1.0))
