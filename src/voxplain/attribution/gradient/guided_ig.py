"""Guided integrated gradients: a path that takes the voxels of small gradient first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from voxplain.attribution.baseline import Baseline, check_baseline, describe, parse_baseline
from voxplain.attribution.gap import relative_gap
from voxplain.attribution.method import Method, Result, register
from voxplain.engine import Passes, Problem
from voxplain.engine.objective import TargetObjective
from voxplain.errors import InputError


@register
@dataclass(frozen=True)
class GuidedIntegratedGradients(Method):
    """∫ ∂F/∂x · dγ along a path γ from the baseline b to x that moves the voxels of smallest |∂F/∂x| first.

    Kapishnikov et al. 2021, "Guided integrated gradients: an adaptive path method for removing noise". In equal
    steps of the distance Σ|x − γ|: of the voxels that are not yet ahead, the given fraction with the smallest
    |∂F/∂γ| goes on until the step's distance is used up. The paper's anchors, which keep the path near the straight
    line, have the form that the authors published in code: no voxel is ever further than ``max_distance`` ahead of
    the straight line or behind it.

    Every target has its own path, so targets share no pass. The maps sum to F(x) − F(b) up to the quadrature's
    error, which is reported as ``completeness_gap``.

    Args:
        steps: of the path, with a gradient each.
        fraction: share of all voxels (of all channels) that moves together, ties included.
        max_distance: in shares of the way, from 0 (the straight line) to 1 (free).
        rule: ``trapezoid`` means the gradients at both ends of a step, with one more gradient in all; ``left`` takes
            the first alone, as published.
        baseline: as in integrated gradients.
    """

    steps: int = 50
    fraction: float = 0.25
    max_distance: float = 0.02
    rule: Literal["trapezoid", "left"] = "trapezoid"
    baseline: Baseline | float | str | None = None

    name: ClassVar[str] = "guided_ig"
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Guided integrated gradients"
    source: ClassVar[str] = "Kapishnikov et al. 2021, arXiv:2106.09788"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "baseline")
    reads: ClassVar[str] = (
        "the share of the score's difference from the baseline that this voxel carries, on a path that avoids "
        "steep gradients"
    )
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap",)

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"guided_ig: found steps={self.steps}, expected at least 1")
        if not 0 < self.fraction <= 1:
            raise InputError(f"guided_ig: found fraction={self.fraction}, expected a share above 0 up to 1")
        if not 0 <= self.max_distance <= 1:
            raise InputError(f"guided_ig: found max_distance={self.max_distance}, expected 0 to 1")
        if self.rule not in ("trapezoid", "left"):
            raise InputError(f"guided_ig: found rule={self.rule!r}, expected 'trapezoid' or 'left'")
        check_baseline(self.baseline)

    def cost(self, problem: Problem) -> Passes:
        """Per target its own gradients, and the clean scores; the baseline's score comes with the first gradient."""
        total = self._passes(problem, 0, 1)
        for t in problem.present:
            total = total + TargetObjective(problem, t).passes(gradients=self._gradients, values=0)
        return total

    @property
    def _gradients(self) -> int:
        return self.steps + (self.rule == "trapezoid")

    def compute(self, problem: Problem) -> Result:
        baseline = parse_baseline(self.baseline, problem)
        start = baseline(problem)
        clean, maps = problem.clean_scores(), problem.store()
        checks, notes = {}, {}
        with problem.runner.session():
            for t in problem.present:
                first, maps[t] = self._along(TargetObjective(problem, t), start)
                difference = float(clean[t]) - first
                gap = relative_gap(float(maps[t].double().sum()), difference)
                checks[t] = {"completeness_gap": gap}
                missed = (
                    f"the map misses {gap:.0%} of the score's difference of {difference:.3g}: use more steps"
                )
                notes[t] = f"baseline {describe(baseline)}" + (f"; {missed}" if gap > 0.05 else "")
        return Result(maps, clean, "score", checks, notes)

    def _along(self, objective: TargetObjective, start: Tensor) -> tuple[float, Tensor]:
        """F(b) and the attribution of one target."""
        image = objective.problem.image
        way = image - start
        done = torch.zeros_like(way)
        out = torch.zeros_like(way)
        score, gradient = objective.gradient(start)
        for step in range(1, self.steps + 1):
            after = advance(
                done, way.abs(), gradient.abs(), step / self.steps, self.fraction, self.max_distance
            )
            moved = way * (after - done)
            done = after
            before = gradient
            if step < self.steps or self.rule == "trapezoid":
                _, gradient = objective.gradient(torch.lerp(start, image, done))
            out += moved * (before if self.rule == "left" else (before + gradient) / 2)
        return score, out


def advance(
    done: Tensor, distance: Tensor, steepness: Tensor, goal: float, fraction: float, slack: float
) -> Tensor:
    """How far each voxel is on its way after a step of the path.

    Args:
        done: (C, *spatial) shares of the way in [0, 1] before it.
        distance: the whole ways' lengths |x − b|.
        steepness: |∂F/∂γ|.
        goal: share of Σ distance that is to be done after it.
        fraction, slack: see `GuidedIntegratedGradients`.

    Returns:
        The shares after it, with Σ distance · done = goal · Σ distance.
    """
    if goal >= 1:
        return torch.ones_like(done)
    most = min(goal + slack, 1.0)
    after = done.clamp_min(max(goal - slack, 0.0))
    weight = distance.double()
    missing = goal * float(weight.sum()) - float((weight * after).sum())
    group = int(fraction * (done.numel() - 1)) + 1
    while missing > 0 and bool(torch.isfinite(steepness).all()):
        free = (after < most) & (distance > 0)
        count = int(free.sum())
        if not count:
            break
        slopes = steepness[free]
        limit = slopes.kthvalue(min(group, count)).values
        chosen = free & (steepness <= limit)
        room = float((weight * (most - after))[chosen].sum())
        share = min(missing / room, 1.0) if room > 0 else 1.0
        after = torch.where(chosen, torch.lerp(after, torch.full_like(after, most), share), after)
        missing = missing - room if share == 1.0 else 0.0
    return after
