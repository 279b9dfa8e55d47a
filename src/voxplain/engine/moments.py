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


class CorrelationSums:
    """Pearson correlation of two maps that are seen piece by piece."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(2, dtype=torch.float64)
        self.moments = torch.zeros((2, 2), dtype=torch.float64)

    def add(self, a: Tensor, b: Tensor) -> None:
        """Add matching pieces of both maps; moments are merged about the common mean (Chan et al. 1983)."""
        pair = torch.stack([a.flatten().double(), b.flatten().double()])
        n, mean = pair.shape[1], pair.mean(1)
        centred, step, total = pair - mean[:, None], mean - self.mean, self.count + n
        self.moments += centred @ centred.T + torch.outer(step, step) * (self.count * n / total)
        self.mean = self.mean + step * (n / total)
        self.count = total

    def value(self) -> float:
        """The correlation so far; NaN where one map is constant."""
        norm = float((self.moments[0, 0] * self.moments[1, 1]).sqrt())
        return float(self.moments[0, 1]) / norm if norm > 0 else float("nan")
