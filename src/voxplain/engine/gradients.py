"""Expectations of the gradient: one forward per window and draw, shared by all targets that it touches.

Samples of a batch are independent, so one backward pass serves a different target for every sample: with the
windows of a batch sorted by the number of their targets, (almost) no backward pass is idle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.engine.backward import Backward
from voxplain.engine.footprint import available_bytes
from voxplain.engine.layout import Slices
from voxplain.engine.plan import Plan
from voxplain.engine.runner import Runner
from voxplain.engine.samplers import Referenced, Sampler
from voxplain.engine.stitched import Stitched
from voxplain.engine.terms import Term, WindowTerms
from voxplain.errors import ModelError, OutOfMemoryError

# Stitched outputs of non-linear scores that are held at once.
STITCHED_BYTES = 1 << 30

Add = Callable[[int, Slices, Tensor, int], None]


@dataclass(frozen=True)
class _Item:
    window: int
    draw: int


class GradientEngine:
    """Runs gradients of the targets of a plan."""

    def __init__(self, runner: Runner, plan: Plan, dtype: torch.dtype) -> None:
        self.runner, self.plan, self.dtype = runner, plan, dtype
        self._backward_rules = Backward()
        # what was handed over before memory ran out in the middle of a batch, so that no retry counts it twice
        self._served: set[tuple[_Item, int]] = set()

    def run(
        self,
        sampler: Sampler,
        targets: Sequence[int],
        add: Add,
        what: str,
        backward: Backward | None = None,
        order: Sequence[int] | None = None,
    ) -> Tensor:
        """Hand every weighted window gradient to ``add(target, where, block, draw)``.

        Args:
            backward: takes the place of the plain backward pass.
            order: of the windows, where it matters to the caller.

        Returns:
            (n, T) scores of the targets at every draw; NaN for targets that were not asked for.
        """
        if not targets:
            return torch.full((len(sampler), len(self.plan.functionals)), torch.nan, dtype=torch.float64)
        self._backward_rules = backward or Backward()
        self.runner.check_room(gradient=True)
        self._served.clear()
        scores = torch.full((len(sampler), len(self.plan.functionals)), torch.nan, dtype=torch.float64)
        scores[:, list(targets)] = 0.0
        linear = self.plan.linear(targets)
        rest = [t for t in targets if t not in set(linear)]
        with self.runner.session():
            if linear:
                items = self._items(linear, range(len(sampler)), order)
                self.runner.each(
                    items,
                    lambda batch: self._batch(sampler, batch, linear, add, scores, {}),
                    what,
                    self._backward_rules.inflation,
                )
            if rest:
                self._two_phase(sampler, rest, add, scores, what, order)
        return scores

    def scores(self, inputs: Sampler, targets: Sequence[int], what: str = "scores") -> Tensor:
        """Scores of whole (padded) inputs, by forward passes alone: (n, T), NaN for targets not asked for."""
        scores = torch.full((len(inputs), len(self.plan.functionals)), torch.nan, dtype=torch.float64)
        scores[:, list(targets)] = 0.0
        linear = self.plan.linear(targets)
        rest = [t for t in targets if t not in set(linear)]

        def work(batch: list[_Item]) -> None:
            with torch.no_grad():
                z = self.runner.forward(self._inputs(inputs, batch))
            self._commit(
                scores, [self._shares(item, z[b : b + 1], set(linear)) for b, item in enumerate(batch)]
            )

        with self.runner.session():
            if linear:
                self.runner.each(self._items(linear, range(len(inputs))), work, what)
            for group in self.groups(rest):
                for draw in range(len(inputs)):
                    stitched = self.stitch(inputs, draw, group)
                    for t in group:
                        scores[draw, t] = stitched.value(t)[0]
        return scores

    def _shares(self, item: _Item, z: Tensor, wanted: set[int]) -> list[tuple[int, int, float]]:
        """One window's part of the scores: (draw, target, value)."""
        terms = self.plan.terms(item.window)
        own = terms.scores(z)[0].tolist()
        return [
            (item.draw, term.target, value)
            for term, value in zip(terms.terms, own, strict=True)
            if term.target in wanted
        ]

    @staticmethod
    def _commit(scores: Tensor, shares: list[list[tuple[int, int, float]]]) -> None:
        """Add what a whole batch found at once, so that a batch that runs out of memory counts nothing twice."""
        for draw, target, value in (share for window in shares for share in window):
            scores[draw, target] += value

    def _items(
        self, targets: Sequence[int], draws: Sequence[int], order: Sequence[int] | None = None
    ) -> list[_Item]:
        """Windows and draws, so that neighbours have about as many targets; draws of a window stay together."""
        wanted = set(targets)
        windows = self.plan.windows(targets)
        if order is None:
            windows = sorted(windows, key=lambda w: -len(wanted.intersection(self.plan.touching[w])))
        else:
            there = set(windows)
            windows = [w for w in order if w in there]
        return [_Item(w, i) for w in windows for i in draws]

    def _two_phase(
        self,
        sampler: Sampler,
        targets: list[int],
        add: Add,
        scores: Tensor,
        what: str,
        order: Sequence[int] | None,
    ) -> None:
        """Scores that are not linear: outputs are stitched first, then their derivative goes backwards."""
        for group in self.groups(targets):
            self._two_phase_group(sampler, group, add, scores, what, order)

    def groups(self, targets: Sequence[int]) -> list[list[int]]:
        """Targets whose stitched outputs and derivatives, (K, region) each, fit into memory together.

        Raises:
            OutOfMemoryError: one target alone does not fit.
        """
        groups: list[list[int]] = [[]]
        used = 0
        for t in targets:
            functional = self.plan.functionals[t]
            assert functional is not None and functional.region is not None
            needed = 2 * 8 * self.runner.model.channels_out * functional.region.count
            if needed > 0.5 * available_bytes(torch.device("cpu")):
                raise OutOfMemoryError(
                    f"score {functional.score!r} over {functional.region.count} voxels and "
                    f"{self.runner.model.channels_out} classes in several windows needs {needed / 2**30:.1f} GiB; use the "
                    "score 'logit' or 'margin', a smaller region, or the whole image as one window"
                )
            if groups[-1] and used + needed > STITCHED_BYTES:
                groups.append([])
                used = 0
            groups[-1].append(t)
            used += needed
        return [group for group in groups if group]

    def _two_phase_group(
        self,
        sampler: Sampler,
        targets: list[int],
        add: Add,
        scores: Tensor,
        what: str,
        order: Sequence[int] | None,
    ) -> None:
        for draw in range(len(sampler)):
            stitched = self.stitch(sampler, draw, targets)
            linked = {}
            for t in targets:
                value, linked[t] = stitched.value(t)
                scores[draw, t] = value
            items = self._items(targets, [draw], order)
            name = what if len(sampler) == 1 else f"{what} {draw + 1}/{len(sampler)}"

            def work(batch: list[_Item], linked: dict[int, Tensor] = linked) -> None:
                self._batch(sampler, batch, targets, add, None, linked)

            self.runner.each(items, work, name, self._backward_rules.inflation)

    def stitch(
        self,
        sampler: Sampler,
        draw: int,
        targets: Sequence[int],
        parts: dict[int, dict[int, Tensor]] | None = None,
    ) -> Stitched:
        """Outputs of one draw, stitched at the voxels of the targets' regions; ``parts`` receives each window's."""
        stitched = Stitched(self.plan.functionals, targets, self.runner.model.channels_out)

        def work(batch: list[int]) -> None:
            x = self._inputs(sampler, [_Item(w, draw) for w in batch])
            with torch.no_grad():
                z = self.runner.forward(x)
            found = {w: stitched.part(self.plan.terms(w), sample) for w, sample in zip(batch, z, strict=True)}
            for w, part in found.items():
                stitched.add(part, self.plan.places(w, targets))
            if parts is not None:
                parts.update(found)

        self.runner.each(self.plan.windows(targets), work, "stitching")
        return stitched

    def _inputs(self, sampler: Sampler, batch: Sequence[_Item]) -> Tensor:
        parts = [sampler.input(item.draw, self.plan.where(item.window)) for item in batch]
        return torch.stack(parts).to(self.runner.model.device, self.dtype)

    def _references(self, sampler: Sampler, batch: Sequence[_Item]) -> Tensor | None:
        if not self._backward_rules.references:
            return None
        assert isinstance(sampler, Referenced)
        parts = [sampler.reference(item.draw, self.plan.where(item.window)) for item in batch]
        return torch.stack(parts).to(self.runner.model.device, self.dtype)

    def _batch(
        self,
        sampler: Sampler,
        batch: list[_Item],
        targets: Sequence[int],
        add: Add,
        scores: Tensor | None,
        linked: dict[int, Tensor],
    ) -> None:
        """One forward; then as many backward passes as the richest sample of the batch has targets."""
        wanted = set(targets)
        terms = [self.plan.terms(item.window) for item in batch]
        todo = [
            [term for term in tw.terms if term.target in wanted and (item, term.target) not in self._served]
            for item, tw in zip(batch, terms, strict=True)
        ]
        x = self._inputs(sampler, batch).requires_grad_()
        with torch.enable_grad():
            z = self._backward_rules.forward(self.runner.forward, x, self._references(sampler, batch))
        if not z.requires_grad:
            raise ModelError(
                f"{self.runner.model.name}: no gradient leads from its output to its input (it may round, take an argmax or "
                "detach); use a method that needs none, such as occlusion"
            )
        shares = []
        if scores is not None:
            shares = [self._shares(item, z[b : b + 1], wanted) for b, item in enumerate(batch)]
        factors = [sampler.factor(item.draw, self.plan.where(item.window)) for item in batch]
        rounds = max(map(len, todo))
        for r in range(rounds):
            active = [(b, lists[r]) for b, lists in enumerate(todo) if r < len(lists)]
            gradient = self._backward(x, z, active, batch, terms, linked, keep=r + 1 < rounds)
            self._hand_over(batch, active, gradient, factors, add)
            self._backward_rules.after([(b, term.target) for b, term in active])
        if scores is not None:
            self._commit(scores, shares)
        self._served.difference_update([(item, t) for item in batch for t in targets])

    def _backward(
        self,
        x: Tensor,
        z: Tensor,
        active: list[tuple[int, Term]],
        batch: list[_Item],
        terms: list[WindowTerms],
        linked: dict[int, Tensor],
        *,
        keep: bool,
    ) -> Tensor:
        cotangent = torch.zeros_like(z)
        for b, term in active:
            derivative = self.derivative(linked, batch[b].window, term.target)
            cotangent[b] = terms[b].cotangent(term, z[b].detach(), derivative)
        cotangent = self._backward_rules.seed(cotangent, z.detach())
        try:
            (gradient,) = torch.autograd.grad(z, x, cotangent, retain_graph=keep, allow_unused=True)
        except RuntimeError as error:
            if "inplace operation" not in str(error):
                raise
            raise ModelError(
                f"{self.runner.model.name}: it changes a tensor in place that its gradient needs; write that "
                "operation out of place, or use a method that needs no gradient, such as occlusion"
            ) from error
        self.runner.passes.backward += len(active)
        return gradient if gradient is not None else torch.zeros_like(x)

    def derivative(self, linked: dict[int, Tensor], window: int, target: int) -> Tensor | None:
        """A non-linear score's derivative at the region's voxels that a window sees, (K, m)."""
        if target not in linked:
            return None
        return linked[target][:, self.plan.places(window, [target])[target]]

    def _hand_over(
        self,
        batch: list[_Item],
        active: list[tuple[int, Term]],
        gradient: Tensor,
        factors: list[Tensor | float],
        add: Add,
    ) -> None:
        blocks = gradient.detach().cpu()
        for b, term in active:
            add(term.target, self.plan.where(batch[b].window), blocks[b] * factors[b], batch[b].draw)
            self._served.add((batch[b], term.target))
