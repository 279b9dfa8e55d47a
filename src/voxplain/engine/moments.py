"""Moments of the gradient over draws, and what they are made with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.engine.samplers import Sampler
from voxplain.engine.store import MapStore


@dataclass(frozen=True)
class OneDraw:
    """One draw of a sampler as a sampler of its own."""

    whole: Sampler
    draw: int

    def __len__(self) -> int:
        return 1

    def input(self, draw: int, where: tuple[slice, ...]) -> Tensor:
        return self.whole.input(self.draw, where)

    def factor(self, draw: int, where: tuple[slice, ...]) -> Tensor | float:
        return self.whole.factor(self.draw, where)


@dataclass(frozen=True)
class Moments:
    """Variance about the first draw, since E[g²] − E[g]² would drown in the rounding of two large numbers."""

    origin: MapStore
    second: MapStore

    def add(self, t: int, gradient: Tensor, weight: float) -> None:
        if t not in self.origin:
            self.origin[t] = gradient
            self.second[t] = torch.zeros_like(gradient)
        else:
            self.second[t] = self.second[t] + weight * (gradient - self.origin[t]) ** 2

    def variance(self, mean: MapStore) -> MapStore:
        # rounding may take a variance of zero slightly below it
        self.second.transform(lambda t, s: (s - (mean[t] - self.origin[t]) ** 2).clamp_min(0))
        return self.second


def adder(store: MapStore) -> Callable[[int, tuple[slice, ...], Tensor, int], None]:
    """What the engine hands its blocks to so that they are summed into a store."""
    return lambda t, where, block, _: store.add(t, where, block)


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson correlation of two maps; NaN where one is constant."""
    x, y = (m.flatten().double() - m.double().mean() for m in (a, b))
    norm = float(x.norm() * y.norm())
    return float(x @ y) / norm if norm > 0 else float("nan")
