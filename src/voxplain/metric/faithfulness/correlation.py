"""Faithfulness correlation: whether removals that a map calls costly are the costly ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from scipy import stats

from voxplain.metric.by_removal import ByRemoval, Numbers
from voxplain.metric.metric import register


@register
@dataclass(frozen=True)
class FaithfulnessCorrelation(ByRemoval):
    """Pearson correlation of ``Σ_{v removed} a(v)`` with ``F(x) − F(x with them removed)`` (Bhatt et al. 2020)."""

    name: ClassVar[str] = "faithfulness_correlation"
    family: ClassVar[str] = "faithfulness"
    title: ClassVar[str] = "Faithfulness correlation"
    source: ClassVar[str] = "Bhatt et al. 2020, arXiv:2005.00631"
    reads: ClassVar[str] = "1: the map's sums rise with what removals cost; 0: they have nothing to do with it"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    span: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def statistic(self, predicted: Numbers, true: Numbers) -> float:
        if np.ptp(predicted) == 0 or np.ptp(true) == 0:
            return 0.0
        return float(np.corrcoef(predicted, true)[0, 1])


@register
@dataclass(frozen=True)
class MonotonicityCorrelation(ByRemoval):
    """Spearman correlation of what a map says of removals with their effects (after Nguyen and Martínez 2020)."""

    name: ClassVar[str] = "monotonicity_correlation"
    family: ClassVar[str] = "faithfulness"
    title: ClassVar[str] = "Monotonicity correlation"
    source: ClassVar[str] = "Nguyen & Martínez 2020, arXiv:2007.07584, over random parts"
    reads: ClassVar[str] = "1: removals are in the map's order of cost; 0: in no order"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    span: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def statistic(self, predicted: Numbers, true: Numbers) -> float:
        if np.ptp(predicted) == 0 or np.ptp(true) == 0:
            return 0.0
        return float(stats.spearmanr(predicted, true).statistic)
