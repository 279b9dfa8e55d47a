"""Completeness: whether a map's values add up to what they say they share."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from voxplain.attribution.baseline import Baseline, check_baseline, parse_baseline
from voxplain.attribution.gap import relative_gap
from voxplain.engine import Passes, Problem
from voxplain.metric.candidate import Candidate
from voxplain.metric.figure import NAN, Figure
from voxplain.metric.metric import Figures, Metric, register

CHECK = "completeness_gap"
ROUNDING = 1e-6  # of the scores; single precision cannot tell a smaller difference
# Methods whose formula measures from a baseline that is no parameter.
BASELINES: dict[str, float] = {"input_x_gradient": 0.0}

NO_CLAIM = "the map is in no unit of the score, so that it claims no sum"
PER_PLACE = "the map's values are each for a place of many voxels, so that they do not add up over voxels"
NO_DIFFERENCE = "the score is that of the baseline, so that there is nothing to share; try another baseline"
UNCHECKED = (
    "the method promises a sum but could not check it here; see the attribution's notes for what it is about"
)

BaselineLike = Baseline | float | str | None


@register
@dataclass(frozen=True)
class Completeness(Metric):
    """``|Σ_v a(v) − (F(x) − F(b))| / |F(x) − F(b)|`` (Sundararajan et al. 2017, axiom of completeness).

    Taken from the method's own check where it has one, which is against what the method really shares out. Else b is
    the method's own baseline, or this one for methods without. A slope's claim is ``Σ_v a(v) (x(v) − b(v))``: it is
    complete where the network is linear.

    Args:
        baseline: for methods that have none of their own; the problem's default where not given.
    """

    baseline: BaselineLike = None

    name: ClassVar[str] = "completeness"
    family: ClassVar[str] = "axiom"
    title: ClassVar[str] = "Completeness gap"
    source: ClassVar[str] = "Sundararajan et al. 2017, arXiv:1703.01365"
    reads: ClassVar[str] = (
        "share of the score's difference that the map's sum misses; 0 is exact, zeros have 1"
    )
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    span: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    nulls: ClassVar[tuple[str, ...]] = ("zero",)

    def __post_init__(self) -> None:
        check_baseline(self.baseline)

    def compute(self, problem: Problem, candidates: Sequence[Candidate]) -> Figures:
        return {
            (position, target): self._figure(problem, candidate, target)
            for position, candidate in enumerate(candidates)
            for target in sorted(candidate.targets)
        }

    def cost(self, problem: Problem, candidates: Sequence[Candidate]) -> Passes:
        asked = {
            _key(self._baseline(c))
            for c in candidates
            if any(self._settled(c, target) is None for target in c.targets)
        }
        new = sum(not problem.has_done(key) for key in asked)
        return problem.cost(scores=new + (1 if asked and not problem.knows_clean_scores else 0))

    def _figure(self, problem: Problem, candidate: Candidate, target: int) -> Figure:
        settled = self._settled(candidate, target)
        if settled is not None:
            return settled
        image, scores = _baseline_scores(problem, self._baseline(candidate))
        clean, empty = float(problem.clean_scores()[target]), float(scores[target])
        if abs(clean - empty) <= ROUNDING * max(abs(clean), abs(empty)):
            return Figure(NAN, note=NO_DIFFERENCE)
        values = candidate.values(target).double()
        if candidate.meaning == "slope":
            values = values * (problem.image - image).double()
        return Figure(relative_gap(float(values.sum()), clean - empty))

    def _settled(self, candidate: Candidate, target: int) -> Figure | None:
        """The figure where it takes no pass; none where the scores are needed."""
        if candidate.null:  # of zeros: |0 − d| / |d|
            return Figure(1.0)
        made = candidate.attribution
        known = made.answers[target].checks.get(CHECK) if made is not None else None
        if known is not None:
            return Figure(known) if math.isfinite(known) else Figure(NAN, note=NO_DIFFERENCE)
        if candidate.meaning == "rank":
            adds_up = made is None or made.voxel_power != 0
            return Figure(NAN, note=NO_CLAIM if adds_up else PER_PLACE)
        if made is not None and made.made_by is not None and CHECK in made.made_by.trust:
            return Figure(NAN, note=UNCHECKED)
        return None

    def _baseline(self, candidate: Candidate) -> BaselineLike:
        made = candidate.attribution
        if made is None or made.made_by is None:
            return self.baseline
        own: BaselineLike = getattr(made.made_by, "baseline", BASELINES.get(made.made_by.name, self.baseline))
        return own


def _key(baseline: BaselineLike) -> Hashable:
    return ("scores of a baseline", type(baseline).__name__, baseline)


def _baseline_scores(problem: Problem, baseline: BaselineLike) -> tuple[Tensor, Tensor]:
    """The baseline's image, and its scores (T,) that were paid once."""
    image = parse_baseline(baseline, problem)(problem)
    return image, problem.once(_key(baseline), lambda: problem.scores([image])[0])
