"""Monotonicity and the faithfulness estimate: whether steps of a map's order do what it says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np

from voxplain.metric.faithfulness.by_order import NAN, ByOrder, Numbers, Reading
from voxplain.metric.faithfulness.correlation import pearson
from voxplain.metric.faithfulness.ladder import Range
from voxplain.metric.figure import Figure
from voxplain.metric.metric import register

NO_CHANGE = "no step changed the score: larger steps or another baseline"
CLAIM_ROUNDING = 1e-6  # of the largest claim: less is nothing


@register
@dataclass(frozen=True)
class Monotonicity(ByOrder):
    """Share of steps that move the score as the map says, when voxels come back from the least to the most relevant.

    A step counts 1 where the sign of the score's change is that of the map's sum over the step's voxels (0 is a sign of
    its own), 0 where they are opposite, and a half where one is 0. For a map without negative values this is the share
    of steps that raise the score; the published yes or no is whether it is 1.
    """

    name: ClassVar[str] = "monotonicity"
    family: ClassVar[str] = "faithfulness"
    title: ClassVar[str] = "Monotonicity"
    source: ClassVar[str] = "Arya et al. 2019, arXiv:1909.03012"
    reads: ClassVar[str] = "share of steps that move the score the way the map says; 0.5: as a map of zeros"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    span: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def ranges(self, counts: Sequence[int], total: int) -> list[Range]:
        return [(0, k) for k in reversed((0, *counts))]

    def figure(self, reading: Reading) -> Figure:
        scores = reading.scores(self.ranges(reading.order.counts, reading.order.total))
        true = _signs(np.diff(scores), reading.rounding)
        if not true.any():
            return Figure(NAN, note=NO_CHANGE)
        claimed = reading.order.claimed[::-1]
        told = _signs(claimed, CLAIM_ROUNDING * float(np.abs(claimed).max()))
        return Figure(float((1 - np.abs(true - told) / 2).mean()), curve=tuple(scores.tolist()))


@register
@dataclass(frozen=True)
class FaithfulnessEstimate(ByOrder):
    """Pearson correlation of what a map says of each step's voxels with what is lost where only these are gone."""

    name: ClassVar[str] = "faithfulness_estimate"
    family: ClassVar[str] = "faithfulness"
    title: ClassVar[str] = "Faithfulness estimate"
    source: ClassVar[str] = "Alvarez-Melis & Jaakkola 2018, arXiv:1806.07538"
    reads: ClassVar[str] = (
        "1: each group of voxels is worth what the map says, up to scale; 0: nothing to do with it"
    )
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    span: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def ranges(self, counts: Sequence[int], total: int) -> list[Range]:
        return list(pairwise((0, *counts)))

    def figure(self, reading: Reading) -> Figure:
        lost = reading.clean - reading.scores(self.ranges(reading.order.counts, reading.order.total))
        if np.ptp(lost) <= reading.rounding:
            return Figure(NAN, note=NO_CHANGE)
        value = float(pearson(reading.order.claimed, np.asarray(lost)))
        return Figure(value, curve=tuple(lost.tolist()))


def _signs(values: Numbers, zero: float) -> Numbers:
    return np.where(np.abs(values) <= zero, 0.0, np.sign(values))
