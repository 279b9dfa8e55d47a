"""Metrics that compare what maps say removals would cost with what they do cost."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from voxplain.attribution.baseline import check_baseline
from voxplain.engine import Passes, Problem
from voxplain.metric.candidate import Candidate
from voxplain.metric.figure import Figure
from voxplain.metric.interval import replicates
from voxplain.metric.metric import Figures, Metric
from voxplain.metric.removal import check_removal, removal_cost, removals

ROUNDING = 64.0  # units in the last place of a score
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class ByRemoval(Metric):
    """A statistic of predicted and true effects over random removals.

    All metrics of this kind with the same parameters share their passes, over all maps and all targets.

    Args:
        draws: removals; one forward pass each (times windows).
        cells: of the random grid along the image's longest axis: parts are about this fraction of the image.
        keep: mean share of the image that stays in a draw.
        baseline: what comes in place of what is removed; the problem's default where not given.
    """

    draws: int = 64
    cells: int = 8
    keep: float = 0.7
    baseline: float | str | None = None

    def __post_init__(self) -> None:
        check_removal(self.name, self.draws, self.cells, self.keep)
        check_baseline(self.baseline)

    @property
    def sharing(self) -> tuple[object, ...]:
        return ("removals", self.draws, self.cells, self.keep, repr(self.baseline))

    @abstractmethod
    def statistic(self, predicted: Numbers, true: Numbers) -> Numbers:
        """Of predicted and true effects (..., n) each -> (...); NaN where it is not defined."""

    def ready(self, effects: Numbers) -> Numbers:
        """What `statistic` takes of effects (n,), such as their ranks."""
        return effects

    def refused(self, candidate: Candidate) -> str:
        """Why a candidate's maps claim nothing that this metric could test; empty where they do."""
        return ""

    def compute(self, problem: Problem, candidates: Sequence[Candidate]) -> Figures:
        made = removals(problem, self.draws, self.cells, self.keep, self.baseline)
        found = {}
        for position, candidate in enumerate(candidates):
            same: NDArray[np.float64] | None = None
            for target in sorted(candidate.targets):
                if reason := self.refused(candidate):
                    found[position, target] = Figure(float("nan"), note=reason)
                    continue
                true = made.effects[:, target].numpy()
                # a null is one map for all targets, and the sums over it are the same
                predicted = made.predicted(problem, candidate, target).numpy() if same is None else same
                same = predicted if candidate.knows_nothing else None
                rounding = self._rounding(problem, target)
                found[position, target] = self._figure(predicted, true, problem.seed, rounding)
        return found

    def cost(self, problem: Problem, candidates: Sequence[Candidate]) -> Passes:
        return removal_cost(problem, self.draws, self.cells, self.keep, self.baseline)

    @staticmethod
    def _rounding(problem: Problem, target: int) -> float:
        """Below this, two scores differ by rounding only."""
        score = abs(float(problem.clean_scores()[target]))
        return ROUNDING * float(torch.finfo(problem.dtype).eps) * score

    def _figure(self, predicted: Numbers, true: Numbers, seed: int, rounding: float) -> Figure:
        if np.abs(true).max() <= rounding or np.ptp(true) <= 1e-9 * float(np.abs(true).max()):
            return Figure(float("nan"), note="no removal changed the score: larger parts or another baseline")
        p, e = self.ready(predicted), self.ready(true)
        again = replicates(len(e), lambda i: self.statistic(p[i], e[i]), seed=seed)
        return Figure(float(self.statistic(p, e)), again)
