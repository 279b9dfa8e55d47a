"""Visiting a layer: the targets' gradients there, at any draws of the input, window by window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from voxplain.engine.backward import Backward
from voxplain.engine.layer_hooks import capture, cut, only_output, replace, whole_precision
from voxplain.engine.layer_tour import Beside, Tour, Visit
from voxplain.engine.samplers import Sampler
from voxplain.engine.stitched import Stitched
from voxplain.engine.terms import Term, WindowTerms
from voxplain.errors import ModelError

if TYPE_CHECKING:
    from voxplain.engine.layers import LayerView

Take = Callable[[Visit], None]
Item = tuple[int, int]  # (window, draw)


class Visitor:
    """Hands the activations and gradients of every (window, draw, target) to ``take``.

    As for the gradient of the input, one forward pass serves all targets of a window, and non-linear scores over
    several windows take two phases per draw: outputs are stitched first.

    Args:
        take: must do nothing before all of it has succeeded, so that a batch out of memory can be repeated.
        what: told with the progress.
    """

    def __init__(self, view: LayerView, tour: Tour, take: Take, what: str) -> None:
        problem = view.problem
        self.problem, self.name, self.tour = problem, view.name, tour
        self._place = (view.module, view.name)
        self._axes = view.axes
        self.take, self.what = take, what
        draws, targets = len(tour.sampler), len(problem.targets)
        self.scores = torch.full((draws, targets), torch.nan, dtype=torch.float64)
        self._beside = Beside(problem, tour, 0)
        self._rules = tour.backward or Backward()

    def run(self) -> Tensor:
        """Visit; returns (draws, T) scores at every draw, NaN for absent targets."""
        problem, plan = self.problem, self.problem.plan
        problem.runner.check_room(gradient=True)
        self.scores[:, problem.present] = 0.0
        linear = plan.linear(problem.present)
        rest = [t for t in problem.present if t not in set(linear)]
        draws = range(len(self.tour.sampler))
        with problem.runner.session():
            if linear:
                under_way = min(len(plan.windows(linear)), problem.runner.batch + 2)
                self._beside = Beside(problem, self.tour, under_way)
                self._group(linear, draws, {})
            for group in problem.engine.groups(rest):
                self._beside = Beside(problem, self.tour, len(plan.windows(group)))
                for draw in draws:
                    self._two_phases(group, draw)
        return self.scores

    def _two_phases(self, targets: Sequence[int], draw: int) -> None:
        stitched = self._stitch(targets, draw)
        linked = {}
        for t in targets:
            self.scores[draw, t], linked[t] = stitched.value(t)
        if draw not in self.tour.silent:
            self._group(targets, [draw], linked)
        else:
            self._release([(w, draw) for w in self.problem.plan.windows(targets)])

    def _group(self, targets: Sequence[int], draws: Sequence[int], linked: dict[int, Tensor]) -> None:
        plan, wanted = self.problem.plan, set(targets)
        served: set[tuple[Item, int]] = set()
        windows = plan.windows(targets)
        windows.sort(key=lambda w: -len(wanted.intersection(plan.touching[w])))
        # draws of a window stay together, so that little has to be laid beside them at a time
        items = [(w, draw) for w in windows for draw in draws]

        def work(batch: list[Item]) -> None:
            self._batch(batch, wanted, linked, served)

        self.problem.runner.each(items, work, self.what, self._rules.inflation)

    def _batch(
        self, batch: list[Item], wanted: set[int], linked: dict[int, Tensor], served: set[tuple[Item, int]]
    ) -> None:
        beside = self._bring(batch)
        output, z = self._forward(batch, beside)
        terms = [self.problem.plan.terms(window) for window, _ in batch]
        shares = [] if linked else [tw.scores(z[b : b + 1])[0].tolist() for b, tw in enumerate(terms)]
        todo = [self._todo(item, tw, wanted, served) for item, tw in zip(batch, terms, strict=True)]
        rounds = max(map(len, todo))
        for r in range(rounds):
            active = [(b, lists[r]) for b, lists in enumerate(todo) if r < len(lists)]
            gradient = self._backward(output, z, active, batch, terms, linked, keep=r + 1 < rounds)
            for b, term in active:
                seen = (whole_precision(output[b]), whole_precision(gradient[b]))
                self.take(Visit(term.target, *batch[b], *seen, beside[b]))
                served.add((batch[b], term.target))
            self._rules.after([(b, term.target) for b, term in active])
        for (_, draw), tw, values in zip(batch, terms, shares, strict=False):
            for term, value in zip(tw.terms, values, strict=True):
                if term.target in wanted:
                    self.scores[draw, term.target] += value
        self._release(batch)

    def _todo(
        self, item: Item, terms: WindowTerms, wanted: set[int], served: set[tuple[Item, int]]
    ) -> list[Term]:
        if item[1] in self.tour.silent:
            return []
        return [t for t in terms.terms if t.target in wanted and (item, t.target) not in served]

    def _forward(self, batch: Sequence[Item], beside: Sequence[Sequence[Tensor]]) -> tuple[Tensor, Tensor]:
        """The layer's output, where the graph begins, and the network's."""
        x = self._inputs(self.tour.sampler, batch)
        if self.tour.backward is not None:
            x.requires_grad_()  # such a pass may want to see the whole graph
            with torch.enable_grad(), capture(*self._place, self._axes) as seen:
                z = self._rules.forward(self.problem.runner.forward, x, self._references(batch))
            # the reference's run, if any, comes first
            output = only_output(
                seen[-1:] if self._rules.references else seen, self.name, self.problem, len(batch)
            )
        elif self.tour.replace is None:
            with torch.enable_grad(), cut(*self._place, self._axes) as seen:
                z = self.problem.runner.forward(x)
            output = only_output(seen, self.name, self.problem, len(batch))
        else:
            output = self._replaced(batch, beside).requires_grad_()
            with torch.enable_grad(), replace(*self._place, output, self._axes) as seen:
                z = self.problem.runner.forward(x)
            only_output(seen, self.name, self.problem, len(batch))
        if not z.requires_grad:
            raise ModelError(
                f"layer {self.name!r}: no gradient leads from the output of {self.problem.model.name} to it (it may lie "
                "on a branch that is not used, or before an argmax or detach); choose another layer, or a method that "
                "needs no gradient, such as occlusion"
            )
        return output, z

    def _backward(
        self,
        output: Tensor,
        z: Tensor,
        active: Sequence[tuple[int, Term]],
        batch: Sequence[Item],
        terms: Sequence[WindowTerms],
        linked: dict[int, Tensor],
        *,
        keep: bool,
    ) -> Tensor:
        cotangent = torch.zeros_like(z)
        for b, term in active:
            derivative = self.problem.engine.derivative(linked, batch[b][0], term.target)
            cotangent[b] = terms[b].cotangent(term, z[b].detach(), derivative)
        cotangent = self._rules.seed(cotangent, z.detach())
        (gradient,) = torch.autograd.grad(z, output, cotangent, retain_graph=keep)
        self.problem.runner.passes.backward += len(active)
        return gradient

    def _stitch(self, targets: Sequence[int], draw: int) -> Stitched:
        """Outputs of one draw at the voxels of the targets' regions, with what the layer gives instead."""
        problem, plan = self.problem, self.problem.plan
        stitched = Stitched(plan.functionals, targets, problem.model.channels_out)

        def work(windows: list[int]) -> None:
            batch = [(w, draw) for w in windows]
            x, beside = self._inputs(self.tour.sampler, batch), self._bring(batch)
            with torch.no_grad():
                if self.tour.replace is None:
                    z = problem.runner.forward(x)
                else:
                    with replace(*self._place, self._replaced(batch, beside), self._axes):
                        z = problem.runner.forward(x)
            parts = [stitched.part(plan.terms(w), sample) for w, sample in zip(windows, z, strict=True)]
            for w, part in zip(windows, parts, strict=True):
                stitched.add(part, plan.places(w, targets))

        problem.runner.each(plan.windows(targets), work, "stitching")
        return stitched

    def _bring(self, batch: Sequence[Item]) -> list[list[Tensor]]:
        """Per item the activations beside it, computed where they are missing."""
        device = self.problem.model.device
        missing = self._beside.missing(batch)
        for start in range(0, len(missing), len(batch)):
            part = missing[start : start + len(batch)]
            assert self.tour.beside is not None
            with torch.no_grad(), capture(*self._place, self._axes) as seen:
                self.problem.runner.forward(self._inputs(self.tour.beside, part))
            output = only_output(seen, self.name, self.problem, len(part))
            for b, pair in enumerate(part):
                self._beside.put(pair, whole_precision(output[b]))
        return [[y.to(device) for y in self._beside.get(*item)] for item in batch]

    def _release(self, batch: Sequence[Item]) -> None:
        for item in batch:
            self._beside.release(*item)

    def _replaced(self, batch: Sequence[Item], beside: Sequence[Sequence[Tensor]]) -> Tensor:
        assert self.tour.replace is not None
        rows = [self.tour.replace(draw, own) for (_, draw), own in zip(batch, beside, strict=True)]
        return torch.stack(rows)

    def _references(self, batch: Sequence[Item]) -> Tensor | None:
        if not self._rules.references:
            return None
        assert self.tour.beside is not None
        return self._inputs(self.tour.beside, [(w, self.tour.needed(draw)[0]) for w, draw in batch])

    def _inputs(self, sampler: Sampler, batch: Sequence[Item]) -> Tensor:
        parts = [sampler.input(draw, self.problem.plan.where(window)) for window, draw in batch]
        return torch.stack(parts).to(self.problem.model.device, self.problem.dtype)
