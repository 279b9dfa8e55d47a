"""Metrics that take the image apart, or put it together, in the order of a map."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from voxplain.engine import Passes, Problem
from voxplain.metric.candidate import Candidate
from voxplain.metric.faithfulness.filling import Fill, check_filling
from voxplain.metric.faithfulness.ladder import Ladder, Range, Rung
from voxplain.metric.faithfulness.measure import On, check_measure
from voxplain.metric.faithfulness.order import Order, Parts, claims, order
from voxplain.metric.faithfulness.schedule import Kind, Schedule
from voxplain.metric.figure import Figure
from voxplain.metric.metric import Figures, Metric

Numbers = NDArray[np.float64]
NAN = float("nan")
ROUNDING = 64.0  # units in the last place of a score
LEAST_SHARE = 0.1  # of what removing a half does, that removing everything must do
INSTEAD = "another baseline, or another `on`"


@dataclass(frozen=True)
class Reading:
    """One map's scores for one target; the order has no image any more.

    Attributes:
        parts: of the order; ``None`` for single voxels.
    """

    ladder: Ladder
    order: Order
    target: int
    parts: Parts | None = None

    def scores(self, ranges: Sequence[Range]) -> Numbers:
        """The score without each of these ranges of places."""
        return np.array([self.ladder.score(self.order, self.target, a, b) for a, b in ranges])

    @property
    def clean(self) -> float:
        return float(self.ladder.ends()[0][self.target])

    @property
    def removed(self) -> float:
        return float(self.ladder.ends()[1][self.target])

    @property
    def swing(self) -> float:
        """The largest effect that removing a random half has."""
        return float((self.clean - self.ladder.halves(self.parts)[:, self.target]).abs().max())

    @property
    def unmoved(self) -> str:
        """Why the curve cannot be divided by what removing everything does; empty where it can.

        What removing everything does may be nothing to rounding, or almost nothing beside what removing a part does: then
        the quotient has any size. Neither depends on the map.
        """
        whole, swing = abs(self.clean - self.removed), self.swing
        if whole <= self.rounding:
            return f"replacing the whole image leaves the score as it is: {INSTEAD}"
        if whole <= LEAST_SHARE * swing:
            return (
                f"replacing the whole image changes the score by {whole:.3g} only, a random half by up to {swing:.3g}, so "
                f"that no share of it means anything: {INSTEAD}"
            )
        return ""

    @property
    def rounding(self) -> float:
        """Below this, two scores differ by rounding only."""
        eps = float(torch.finfo(self.ladder.problem.dtype).eps)
        return ROUNDING * eps * max(abs(self.clean), abs(self.removed))

    def normalized(self, scores: Numbers) -> Numbers:
        """``(F − F_removed) / |F_clean − F_removed|``: 0 where all is removed, 1 (or −1) for the clean image."""
        return np.asarray((scores - self.removed) / abs(self.clean - self.removed))


@dataclass(frozen=True)
class ByOrder(Metric):
    """A number read from the scores of images that lack what a map ranks first (or last, or in between).

    Places of an order are voxels with all their channels, or parts. What a map says of a voxel is the sum over
    channels; a slope's is slope × (image − what replaces it). Ties are broken at random, with the problem's seed.
    Metrics of this kind share the images that they have in common.

    Args:
        steps: of the curve; each is one image per map and target.
        schedule: ``linear`` or ``geometric`` fractions of the image (see `Schedule`).
        least: the first fraction of a geometric schedule.
        upto: the last fraction.
        baseline: what comes in place of what is removed: a baseline, ``noise[:SD]`` or ``infill[:SD]``.
        on: ``score``, ``probability`` (the class's, mean over the target's region) or ``soft_dice`` (of the class with
            its clean region).
    """

    steps: int = 16
    schedule: Kind = "linear"
    least: float = 0.001
    upto: float = 1.0
    baseline: Fill = None
    on: On = "score"

    apart: ClassVar[bool] = True
    divides: ClassVar[bool] = False  # whether the figure is relative to the effect of removing everything

    def __post_init__(self) -> None:
        self.read_at.check(self.name)
        check_filling(self.baseline)
        check_measure(self.name, self.on)

    @property
    def sharing(self) -> tuple[object, ...]:
        return ("ladder", self.on, repr(self.baseline))

    def check(self, problem: Problem) -> None:
        check_measure(self.name, self.on, problem)

    @abstractmethod
    def ranges(self, counts: Sequence[int], total: int) -> list[Range]:
        """The ranges of places that this metric takes out."""

    @abstractmethod
    def figure(self, reading: Reading) -> Figure:
        """What the scores say."""

    def parts(self, problem: Problem) -> Parts | None:
        """The parts that change together; ``None`` for single voxels."""
        return None

    def compute(self, problem: Problem, candidates: Sequence[Candidate]) -> Figures:
        self.check(problem)
        ladder, parts = Ladder(problem, self.on, self.baseline), self.parts(problem)
        readings = {}
        for position, target, found in self._orders(ladder, parts, candidates):
            ladder.want(found, target, self.ranges(found.counts, found.total))
            readings[position, target] = Reading(ladder, found.light(), target, parts)
        ladder.run()
        return {place: self._read(reading) for place, reading in readings.items()}

    def cost(self, problem: Problem, candidates: Sequence[Candidate]) -> Passes:
        if not any(c.targets for c in candidates):
            return Passes(0, 0)
        ladder, parts = Ladder(problem, self.on, self.baseline), self.parts(problem)
        rungs = [
            Rung(found.light(), target, start, stop)
            for _, target, found in self._orders(ladder, parts, candidates)
            for start, stop in self.ranges(found.counts, found.total)
        ]
        return ladder.cost(rungs) + (ladder.halves_cost(parts) if self.divides else Passes(0, 0))

    @property
    def read_at(self) -> Schedule:
        """The fractions at which the curve is read."""
        return Schedule(self.steps, self.schedule, self.least, self.upto)

    def _read(self, reading: Reading) -> Figure:
        refused = reading.unmoved if self.divides else ""
        return Figure(NAN, note=refused) if refused else self.figure(reading)

    def _orders(
        self, ladder: Ladder, parts: Parts | None, candidates: Sequence[Candidate]
    ) -> Iterator[tuple[int, int, Order]]:
        problem = ladder.problem
        for position, candidate in enumerate(candidates):
            for target in sorted(candidate.targets):
                claim = claims(problem, candidate, target, ladder.filling)
                yield position, target, order(problem, claim, target, parts, self.read_at)
