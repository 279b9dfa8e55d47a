"""Gradients and scores of targets that each look at an input of their own, such as the image behind its own mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from voxplain.engine.gradients import GradientEngine
from voxplain.engine.layout import Slices
from voxplain.engine.passes import Passes
from voxplain.engine.samplers import Sampler
from voxplain.engine.terms import Term
from voxplain.errors import ModelError

# (target, slices of the padded image, gradient there (C, *box))
Take = Callable[[int, Slices, Tensor], None]


class OwnInputs:
    """Asks target ``t`` about draw ``t`` of a sampler only; a batch may hold windows of several targets."""

    def __init__(self, engine: GradientEngine) -> None:
        self.engine, self.plan, self.runner = engine, engine.plan, engine.runner

    def scores(self, sampler: Sampler, targets: Sequence[int], what: str = "scores") -> Tensor:
        """(T,) scores, NaN for targets not asked for."""
        return self._run(sampler, targets, None, what)

    def gradients(self, sampler: Sampler, targets: Sequence[int], take: Take, what: str) -> Tensor:
        """Hand ∂F_t/∂input of every window of every target to ``take``; returns the scores (T,)."""
        self.runner.check_room(gradient=True)
        return self._run(sampler, targets, take, what)

    def cost(self, targets: Sequence[int], gradients: int, scores: int) -> Passes:
        """Passes of so many calls of `gradients` and of `scores`; stitched targets go forwards twice for a gradient."""
        forward = backward = 0
        linear = set(self.plan.linear(targets))
        for t in targets:
            windows = len(self.plan.windows([t]))
            forward += windows * (gradients * (1 if t in linear else 2) + scores)
            backward += windows * gradients
        return Passes(forward, backward)

    def _run(self, sampler: Sampler, targets: Sequence[int], take: Take | None, what: str) -> Tensor:
        scores = torch.full((len(self.plan.functionals),), torch.nan, dtype=torch.float64)
        scores[list(targets)] = 0.0
        linear = self.plan.linear(targets)
        with self.runner.session():
            self._each(sampler, linear, {}, scores, take, what)
            for t in (t for t in targets if t not in set(linear)):
                scores[t], derivative = self.engine.stitch(sampler, t, [t]).value(t)
                if take is not None:
                    self._each(sampler, [t], {t: derivative}, None, take, what)
        return scores

    def _each(
        self,
        sampler: Sampler,
        targets: Sequence[int],
        linked: dict[int, Tensor],
        scores: Tensor | None,
        take: Take | None,
        what: str,
    ) -> None:
        def work(batch: list[tuple[int, int]]) -> None:
            places = [self.plan.where(w) for w, _ in batch]
            made = [sampler.input(t, where) for (_, t), where in zip(batch, places, strict=True)]
            x = torch.stack(made).to(self.runner.model.device, self.engine.dtype)
            with torch.set_grad_enabled(take is not None):
                z = self.runner.forward(x.requires_grad_(take is not None))
            shares = (
                [] if scores is None else [self._share(z[b : b + 1], *batch[b]) for b in range(len(batch))]
            )
            blocks = self._backward(x, z, batch, linked) if take is not None else ()
            # all that may fail came before anything is counted
            if scores is not None:
                for (_, t), share in zip(batch, shares, strict=True):
                    scores[t] += share
            if take is not None:
                for (_, t), where, block in zip(batch, places, blocks, strict=True):
                    take(t, where, block)

        self.runner.each([(w, t) for t in targets for w in self.plan.windows([t])], work, what)

    def _backward(
        self, x: Tensor, z: Tensor, batch: list[tuple[int, int]], linked: dict[int, Tensor]
    ) -> Tensor:
        if not z.requires_grad:
            raise ModelError(
                f"{self.runner.model.name}: no gradient leads from its output to its input (it may round, take an argmax or "
                "detach); use a method that needs none, such as RISE"
            )
        cotangent = torch.zeros_like(z)
        for b, (window, t) in enumerate(batch):
            derivative = self.engine.derivative(linked, window, t)
            cotangent[b] = self.plan.terms(window).cotangent(self._term(window, t), z[b].detach(), derivative)
        (gradient,) = torch.autograd.grad(z, x, cotangent, allow_unused=True)
        self.runner.passes.backward += len(batch)
        return torch.zeros_like(x).cpu() if gradient is None else gradient.cpu()

    def _share(self, z: Tensor, window: int, target: int) -> float:
        terms = self.plan.terms(window)
        return float(terms.scores(z)[0][terms.terms.index(self._term(window, target))])

    def _term(self, window: int, target: int) -> Term:
        return next(term for term in self.plan.terms(window).terms if term.target == target)
