"""Scalars of an image that methods climb or follow step by step: a target's score, or a layer's activation.

Both give value and gradient for whole prepared images, one at a time, window by window.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor

from voxplain.engine.layer_axes import AS_IT_IS, layer_axes
from voxplain.engine.layers import capture
from voxplain.engine.layout import Slices
from voxplain.engine.passes import Passes
from voxplain.engine.problem import Problem
from voxplain.engine.samplers import Fixed
from voxplain.errors import InputError, ModelError


class Objective(ABC):
    """A differentiable number of a prepared image (C, *spatial)."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    @abstractmethod
    def value(self, image: Tensor) -> float:
        """The number, from forward passes alone."""

    @abstractmethod
    def gradient(self, image: Tensor) -> tuple[float, Tensor]:
        """The number and its gradient with respect to the image, (C, *spatial)."""

    @abstractmethod
    def passes(self, *, gradients: int, values: int) -> Passes:
        """What so many gradients and values take."""

    def _gradient_room(self) -> Tensor:
        shape = (self.problem.image.shape[0], *self.problem.plan.shape)
        return torch.zeros(shape, dtype=self.problem.dtype)

    def _unpadded(self, gradient: Tensor) -> Tensor:
        layout = self.problem.layout
        return gradient if layout is None else layout.unpad_gradient(gradient)


class TargetObjective(Objective):
    """The score of one target; only the windows that it touches are run, and no other target goes backwards."""

    def __init__(self, problem: Problem, target: int) -> None:
        super().__init__(problem)
        self.target = target

    def value(self, image: Tensor) -> float:
        scores = self.problem.engine.scores(Fixed([self.problem.pad(image)]), [self.target])
        return float(scores[0, self.target])

    def gradient(self, image: Tensor) -> tuple[float, Tensor]:
        total = self._gradient_room()

        def add(target: int, where: Slices, block: Tensor, draw: int) -> None:
            del target, draw
            total[(slice(None), *where)] += block.to(total)

        name = self.problem.targets[self.target].name
        scores = self.problem.engine.run(Fixed([self.problem.pad(image)]), [self.target], add, name)
        return float(scores[0, self.target]), self._unpadded(total)

    def passes(self, *, gradients: int, values: int) -> Passes:
        plan = self.problem.plan
        windows = len(plan.windows([self.target]))
        # outputs of a non-linear score over several windows are stitched before the derivative goes backwards
        per_gradient = 1 if plan.linear([self.target]) else 2
        return Passes((gradients * per_gradient + values) * windows, gradients * windows)


class LayerObjective(Objective):
    """A layer's activation, averaged over all windows, since it belongs to no target.

    Args:
        layer: dotted name of a submodule that returns one tensor (N, F, ...).
        channel: of which the mean is taken.
        kind: ``mean`` of that channel, or ``energy``: the mean square over all channels and places.

    Raises:
        ModelError: unknown layer, or one of which it cannot be told which axis counts its channels.
    """

    def __init__(
        self,
        problem: Problem,
        layer: str,
        *,
        kind: Literal["mean", "energy"] = "energy",
        channel: int = 0,
    ) -> None:
        super().__init__(problem)
        self.layer, self.kind, self.channel = layer, kind, channel
        self.module = problem.model.layer(layer)
        # the energy is of all axes alike
        self.axes = layer_axes(problem, layer) if kind == "mean" else AS_IT_IS
        self.windows = list(range(len(problem.plan)))

    def value(self, image: Tensor) -> float:
        padded, found = self.problem.pad(image), dict.fromkeys(self.windows, 0.0)

        def work(batch: list[int]) -> None:
            with torch.no_grad():
                values = self._values(self._inputs(padded, batch))
            found.update(zip(batch, values.tolist(), strict=True))

        with self.problem.runner.session():
            self.problem.runner.each(self.windows, work, self.layer)
        return sum(found.values()) / len(self.windows)

    def gradient(self, image: Tensor) -> tuple[float, Tensor]:
        padded, found = self.problem.pad(image), dict.fromkeys(self.windows, 0.0)
        total = self._gradient_room()
        self.problem.runner.check_room(gradient=True)

        def work(batch: list[int]) -> None:
            x = self._inputs(padded, batch).requires_grad_()
            with torch.enable_grad():
                values = self._values(x)
            if not values.requires_grad:
                raise ModelError(f"layer {self.layer!r}: no gradient leads from it to the network's input")
            (gradient,) = torch.autograd.grad(values.sum(), x)
            # nothing may fail from here on
            self.problem.runner.passes.backward += len(batch)
            found.update(zip(batch, values.tolist(), strict=True))
            for window, block in zip(batch, gradient.cpu(), strict=True):
                total[(slice(None), *self.problem.plan.where(window))] += block / len(self.windows)

        with self.problem.runner.session():
            self.problem.runner.each(self.windows, work, self.layer)
        return sum(found.values()) / len(self.windows), self._unpadded(total)

    def passes(self, *, gradients: int, values: int) -> Passes:
        count = len(self.windows)
        return Passes((gradients + values) * count, gradients * count)

    def _inputs(self, padded: Tensor, batch: list[int]) -> Tensor:
        parts = [padded[(slice(None), *self.problem.plan.where(w))] for w in batch]
        return torch.stack(parts).to(self.problem.model.device, self.problem.dtype)

    def _values(self, x: Tensor) -> Tensor:
        """The objective of every sample: (N, C, *roi) -> (N,)."""
        with capture(self.module, self.layer, self.axes) as seen:
            self.problem.runner.forward(x)
        if len(seen) != 1:
            raise ModelError(
                f"layer {self.layer!r}: the network runs it {len(seen)} times in one pass, expected once; choose "
                "another layer"
            )
        output = seen[0]
        if output.dim() < 2 or output.shape[0] != self._given(len(x)):
            raise ModelError(
                f"layer {self.layer!r}: its output has shape {tuple(output.shape)}, expected ({len(x)}, features, ...)"
            )
        own = output[: len(x)] if output.dtype == torch.float64 else output[: len(x)].float()
        if self.kind == "energy":
            return own.flatten(1).square().mean(1)
        if not 0 <= self.channel < own.shape[1]:
            raise InputError(
                f"layer {self.layer!r}: found channel {self.channel}, expected 0 to {own.shape[1] - 1}"
            )
        return own[:, self.channel].reshape(len(x), -1).mean(1)

    def _given(self, count: int) -> int:
        """Samples that the network gets for so many: a lone one may have a twin, and some take one size only."""
        runner = self.problem.runner
        if runner.fixed:
            return runner.fixed
        twin = count == 1 and runner.footprint is not None and runner.footprint.pairs_pay
        return 2 if twin else count
