"""Soft Dice of a class with its frozen clean region over the whole image, from outputs stitched slab by slab."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from voxplain.engine.asked import Asking
from voxplain.engine.layout import Layout
from voxplain.engine.passes import Passes
from voxplain.engine.samplers import Sampler
from voxplain.target.functional import Functional

if TYPE_CHECKING:
    from voxplain.engine.problem import Problem


class SoftDice:
    """``D = 2 Σ_v p(v) y(v) / (Σ_v p(v) + Σ_v y(v))`` over the image.

    ``p`` is the stitched probability of the target's class, ``y`` is 1 where the clean prediction says this class.
    Stitched outputs are held for as many planes as a window is thick.

    Args:
        problem: a segmentation.
    """

    def __init__(self, problem: Problem) -> None:
        assert problem.layout is not None
        self.problem, self.layout = problem, problem.layout
        self.order = sorted(range(len(self.layout)), key=lambda w: self.layout.slices[w][0].start)

    def scores(self, sampler: Sampler, asked: Asking, what: str = "soft Dice") -> Tensor:
        """(n, T) double: of draw ``i`` for the targets ``asked[i]``, NaN for the others."""
        runner = self.problem.runner
        out = torch.full((len(asked), len(self.problem.targets)), torch.nan, dtype=torch.float64)
        runner.check_room(gradient=False)
        current = _Slabs(self.problem, self.layout, [])

        def work(batch: list[tuple[int, int]]) -> None:
            nonlocal current
            made = [sampler.input(draw, self.layout.slices[w]) for draw, w in batch]
            x = torch.stack(made).to(runner.model.device, self.problem.dtype)
            with torch.no_grad():
                z = runner.forward(x).cpu()
            # a draw's windows come in a row, so only one draw is ever unfinished
            for (draw, window), sample in zip(batch, z, strict=True):
                if window == self.order[0]:
                    current = _Slabs(self.problem, self.layout, asked[draw])
                current.add(window, sample)
                if window == self.order[-1]:
                    out[draw, list(asked[draw])] = current.finish()

        with runner.session():
            runner.each(
                [(d, w) for d, targets in enumerate(asked) if targets for w in self.order], work, what
            )
        return out

    def cost(self, asked: Asking) -> Passes:
        """Passes that `scores` will take: all windows of every draw."""
        return Passes(forward=len(self.layout) * sum(1 for targets in asked if targets))


class _Slabs:
    """One draw's stitched output, of which the planes that no later window reaches are summed up and dropped."""

    def __init__(self, problem: Problem, layout: Layout, targets: Sequence[int]) -> None:
        self.problem, self.layout, self.targets = problem, layout, list(targets)
        self.start = 0
        self.band: Tensor | None = None
        # per target: Σ p y, Σ p, Σ y
        self.sums = torch.zeros((len(self.targets), 3), dtype=torch.float64)

    def add(self, window: int, z: Tensor) -> None:
        where = self.layout.slices[window]
        if self.band is None:
            extent = where[0].stop - where[0].start
            self.band = torch.zeros((z.shape[0], extent, *self.layout.padded[1:]), dtype=z.dtype)
        if where[0].start > self.start:
            self._close(where[0].start)
        self.band[(slice(None), slice(None), *where[1:])] += z * self.layout.weight(window).to(z.dtype)

    def finish(self) -> Tensor:
        """(targets,) soft Dice; 0 where neither the class nor its probability is anywhere."""
        self._close(self.layout.padded[0])
        both, p, y = self.sums.T
        return torch.where(p + y > 0, 2 * both / (p + y), torch.zeros_like(p))

    def _close(self, upto: int) -> None:
        """Sum up the planes before ``upto`` and move the band on."""
        assert self.band is not None
        count = min(upto - self.start, self.band.shape[1])
        first, extent = self.layout.before[0], self.layout.shape[0]
        # planes of the padded image that lie in the image itself
        inside = slice(max(self.start, first), min(self.start + count, first + extent))
        if inside.stop > inside.start:
            rest = [
                slice(b, b + s) for b, s in zip(self.layout.before[1:], self.layout.shape[1:], strict=True)
            ]
            z = self.band[(slice(None), slice(inside.start - self.start, inside.stop - self.start), *rest)]
            self._sum(z.double(), slice(inside.start - first, inside.stop - first))
        kept = self.band[:, count:].clone()
        self.band.zero_()
        self.band[:, : kept.shape[1]] = kept
        self.start += count

    def _sum(self, z: Tensor, planes: slice) -> None:
        prediction, model = self.problem.prediction, self.problem.model
        for row, t in enumerate(self.targets):
            index = self.problem.targets[t].class_index
            p = Functional(index, "probability", model.output, model.channels_out, None).link(z)
            y = (
                prediction.positive[index][planes]
                if prediction.positive is not None
                else prediction.labels[planes] == index
            )
            self.sums[row] += torch.stack([p[y].sum(), p.sum(), y.sum().double()])
