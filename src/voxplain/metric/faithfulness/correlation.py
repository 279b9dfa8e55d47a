"""Faithfulness correlation: whether removals that a map calls costly are the costly ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import scipy

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
    reads: ClassVar[str] = (
        "1: the map's sums rise with what removals cost; 0: they have nothing to do with it"
    )
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    span: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def statistic(self, predicted: Numbers, true: Numbers) -> Numbers:
        return pearson(predicted, true)


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

    def ready(self, effects: Numbers) -> Numbers:
        return np.asarray(scipy.stats.rankdata(effects))

    def statistic(self, predicted: Numbers, true: Numbers) -> Numbers:
        return pearson(predicted, true)


def pearson(a: Numbers, b: Numbers) -> Numbers:
    """Correlation along the last axis; 0 where one side is constant, since it then predicts nothing."""
    a, b = a - a.mean(-1, keepdims=True), b - b.mean(-1, keepdims=True)
    size = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(size > 0, (a * b).sum(-1) / size, 0.0))
