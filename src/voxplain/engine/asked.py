"""Scores of many inputs that are each asked about some targets only, such as images behind one target's own mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from voxplain.engine.gradients import GradientEngine
from voxplain.engine.passes import Passes
from voxplain.engine.plan import Plan
from voxplain.engine.samplers import Sampler
from voxplain.target.functional import Functional

if TYPE_CHECKING:
    from voxplain.engine.problem import Problem

Asking = Sequence[Sequence[int]]  # per draw the targets that it is asked about


class Asked:
    """Asks draw ``i`` of a sampler about the targets ``asked[i]``; a batch may hold windows of several draws.

    Windows that hold none of a draw's targets do not run.
    """

    def __init__(self, engine: GradientEngine) -> None:
        self.engine, self.plan, self.runner = engine, engine.plan, engine.runner

    @classmethod
    def about(cls, problem: Problem, functionals: Sequence[Functional | None]) -> Asked:
        """The same network, image and windows, asked other frozen scalars; ``None`` for absent ones."""
        plan = Plan(problem.layout, problem.plan.shape, functionals, keep=problem.runner.batch + 2)
        return cls(GradientEngine(problem.runner, plan, problem.dtype))

    def scores(self, sampler: Sampler, asked: Asking, what: str = "scores") -> Tensor:
        """(n, T) double; NaN for what was not asked."""
        out = torch.full((len(asked), len(self.plan.functionals)), torch.nan, dtype=torch.float64)
        for draw, targets in enumerate(asked):
            out[draw, list(targets)] = 0.0
        self.runner.check_room(gradient=False)
        with self.runner.session():
            self._summed(sampler, asked, out, what)
            for draw, targets in enumerate(asked):
                for group in self.engine.groups(self._split(targets)[1]):
                    stitched = self.engine.stitch(sampler, draw, group)
                    for t in group:
                        out[draw, t] = stitched.value(t)[0]
        return out

    def cost(self, asked: Asking) -> Passes:
        """Passes that `scores` will take."""
        count = len(self._items(asked))
        for targets in asked:
            count += sum(len(self.plan.windows(g)) for g in self.engine.groups(self._split(targets)[1]))
        return Passes(forward=count)

    def _split(self, targets: Sequence[int]) -> tuple[list[int], list[int]]:
        """Targets that add up over windows, and those whose outputs are stitched first."""
        linear = self.plan.linear(targets)
        return linear, [t for t in targets if t not in set(linear)]

    def _items(self, asked: Asking) -> list[tuple[int, int]]:
        """(window, draw), the draws of a window in a row."""
        linear = [set(self._split(targets)[0]) for targets in asked]
        return [
            (window, draw)
            for window, touching in enumerate(self.plan.touching)
            for draw, wanted in enumerate(linear)
            if wanted.intersection(touching)
        ]

    def _summed(self, sampler: Sampler, asked: Asking, out: Tensor, what: str) -> None:
        wanted = [set(self._split(targets)[0]) for targets in asked]

        def work(batch: list[tuple[int, int]]) -> None:
            made = [sampler.input(draw, self.plan.where(window)) for window, draw in batch]
            x = torch.stack(made).to(self.runner.model.device, self.engine.dtype)
            with torch.no_grad():
                z = self.runner.forward(x)
            # all that may fail comes before anything is counted
            found = [self.plan.terms(window).scores(z[b : b + 1])[0] for b, (window, _) in enumerate(batch)]
            for (window, draw), shares in zip(batch, found, strict=True):
                for term, share in zip(self.plan.terms(window).terms, shares.tolist(), strict=True):
                    if term.target in wanted[draw]:
                        out[draw, term.target] += share

        self.runner.each(self._items(asked), work, what)
