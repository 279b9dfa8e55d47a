"""Shapley values as a regression: every coalition speaks about all its members at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.method import Result, register
from voxplain.attribution.shapley.design import (
    EVEN,
    ODD,
    Design,
    design,
    least_samples,
    telling_samples,
)
from voxplain.attribution.shapley.region_shapley import RegionShapley
from voxplain.attribution.shapley.values import Shares
from voxplain.engine import Passes, Problem
from voxplain.engine.game import Game
from voxplain.errors import InputError


@register
@dataclass(frozen=True)
class KernelShap(RegionShapley):
    """Shapley values of regions by weighted least squares over coalitions, exact where few regions play.

    Lundberg & Lee 2017, "A unified approach to interpreting model predictions", theorem 2. Coalitions come with their
    complements and the values' sum is F(x) − F(baseline) exactly (Covert & Lee 2021, "Improving KernelSHAP"). With
    up to ``samples`` coalitions in all, every one is asked and the values are exact.

    Args:
        samples: coalitions that are asked, at least 2 · regions + 6; per window where the game is local.
        local: over several windows, give every window its own game of the regions that touch it and add up the
            values: the same answer for scores that are linear in the network's output (logit, margin), from far
            fewer coalitions. Other scores always play one game of the whole image.
    """

    samples: int = 512
    local: bool = True

    name: ClassVar[str] = "kernel_shap"
    title: ClassVar[str] = "Kernel SHAP"
    source: ClassVar[str] = "Lundberg & Lee 2017, arXiv:1705.07874; Covert & Lee 2021, arXiv:2012.01536"
    reads: ClassVar[str] = "this region's share of the score's difference from the baseline"
    trust_where: ClassVar[Mapping[str, str]] = {"agreement": "where enough is drawn to compare halves"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples < 2:
            raise InputError(f"{self.name}: found samples={self.samples}, expected at least 2")

    def compute(self, problem: Problem) -> Result:
        """As all region methods; says where nothing tells how far the drawn values are from the true ones."""
        found = super().compute(problem)
        for t in problem.present:
            if "agreement" not in found.checks[t] and not found.notes[t].endswith(", exact"):
                enough = telling_samples(len(found.regions or ()))
                found.notes[t] += (
                    "; too few draws to tell how far off the values are, and single ones may be far off: "
                    f"{enough} samples are enough to tell"
                )
        return found

    def shares(self, problem: Problem, game: Game) -> Shares:
        near, far = self._kinds(problem)
        designs, one = self._local(problem, game, near), self._common(problem, game, far)
        sums = _Sums(problem, game)
        asked = {w: d.coalitions for w, d in designs.items()}
        game.window_values(asked, near, lambda w, values: sums.add(designs[w], game.members[w], values, near))
        if far:
            players = game.active(far)
            values = game.values(_spread(one, players, game.players), far)
            sums.add(one, players, values, far)
        return sums.shares()

    def game_cost(self, problem: Problem, game: Game) -> Passes:
        near, far = self._kinds(problem)
        cost = Passes(sum(len(d.coalitions) for d in self._local(problem, game, near).values()))
        if far:
            one = self._common(problem, game, far)
            cost += game.cost(_spread(one, game.active(far), game.players), far)
        return cost

    def _kinds(self, problem: Problem) -> tuple[list[int], list[int]]:
        """Targets whose windows play games of their own, and the others."""
        near = problem.plan.linear(problem.present) if self.local else []
        return near, [t for t in problem.present if t not in set(near)]

    def _local(self, problem: Problem, game: Game, targets: Sequence[int]) -> dict[int, Design]:
        windows = problem.plan.windows(targets)
        seeds = {w: np.random.default_rng([problem.seed, 1 + w]) for w in windows}
        return {w: self._design(game.members[w], seeds[w]) for w in windows}

    def _common(self, problem: Problem, game: Game, targets: Sequence[int]) -> Design:
        """The game of all windows together."""
        return self._design(game.active(targets), np.random.default_rng([problem.seed, 0]))

    def _design(self, players: Tensor, rng: np.random.Generator) -> Design:
        least = least_samples(len(players))
        if self.samples < least:
            raise InputError(
                f"{self.name}: found samples={self.samples} for {len(players)} regions that play together, expected at "
                f"least {least}, or fewer regions"
            )
        return design(len(players), self.samples, rng)

    def _more(self) -> str:
        return "use more samples or fewer regions"


class _Sums:
    """Values of games that add up."""

    def __init__(self, problem: Problem, game: Game) -> None:
        shape = (len(problem.targets), game.players)
        # all draws, the even and the odd half
        self.values = [torch.full(shape, torch.nan, dtype=torch.float64) for _ in range(3)]
        for values in self.values:
            values[problem.present] = 0.0
        self.ends = torch.full((2, len(problem.targets)), torch.nan, dtype=torch.float64)
        self.ends[:, problem.present] = 0.0
        self.exact = self.has_halves = True

    def add(self, made: Design, players: Tensor, values: Tensor, targets: Sequence[int]) -> None:
        """Add a game's shares: values of its design's coalitions, (n, T), for some of the targets."""
        wanted = list(targets)
        own = values[:, wanted]
        self.exact &= made.is_exact
        self.has_halves &= made.is_exact or made.has_halves
        whole = made.solve(own)
        for total, half in zip(self.values, (None, EVEN, ODD), strict=True):
            part = whole if half is None or made.is_exact else made.solve(own, half)
            total[torch.tensor(wanted)[:, None], players[None]] += part.T
        self.ends[0, wanted] += own[-1]
        self.ends[1, wanted] += own[0]

    def shares(self) -> Shares:
        """What came together."""
        whole, even, odd = self.values
        halves = (even, odd) if self.has_halves and not self.exact else None
        return Shares(whole, self.ends[0], self.ends[1], halves, self.exact)


def _spread(made: Design, players: Tensor, count: int) -> Tensor:
    """A design's coalitions of some players as coalitions of all, (n, R)."""
    rows = torch.zeros((len(made.coalitions), count), dtype=torch.bool)
    rows[:, players] = made.coalitions
    return rows
