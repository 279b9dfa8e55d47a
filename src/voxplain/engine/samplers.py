"""Inputs over which a method takes its expectation of the gradient.

A sampler makes draw ``i`` of the input, but only the part that a window sees, and always the same one:
draws are whole images, consistent between overlapping windows, without ever being whole in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from voxplain.engine.layout import Layout, Slices


class Sampler(Protocol):
    """Draws of the (padded) input and what each draw's gradient is multiplied with."""

    def __len__(self) -> int:
        """Number of draws."""

    def input(self, draw: int, where: Slices) -> Tensor:
        """Part of draw ``draw``: (C, *box)."""

    def factor(self, draw: int, where: Slices) -> Tensor | float:
        """Multiplier of the gradient there: a number or (C, *box). The results of all draws are summed."""


@runtime_checkable
class Referenced(Sampler, Protocol):
    """Draws that each come with a reference image, for backward passes that compare the two."""

    def reference(self, draw: int, where: Slices) -> Tensor:
        """Part of the reference of draw ``draw``: (C, *box)."""


@dataclass(frozen=True)
class Fixed:
    """Given (padded) images, each as it is; the gradient of their sum."""

    images: Sequence[Tensor]

    def __len__(self) -> int:
        return len(self.images)

    def input(self, draw: int, where: Slices) -> Tensor:
        return self.images[draw][(slice(None), *where)]

    def factor(self, draw: int, where: Slices) -> float:
        return 1.0


def clean(image: Tensor) -> Fixed:
    """The (padded) input itself, once."""
    return Fixed([image])


@dataclass(frozen=True)
class Path:
    """Points on the straight line from a baseline to the input, with quadrature weights."""

    image: Tensor
    baseline: Tensor
    positions: Sequence[float]
    weights: Sequence[float]

    def __len__(self) -> int:
        return len(self.positions)

    def input(self, draw: int, where: Slices) -> Tensor:
        box = (slice(None), *where)
        return torch.lerp(self.baseline[box], self.image[box], self.positions[draw])

    def factor(self, draw: int, where: Slices) -> float:
        return self.weights[draw]


@dataclass(frozen=True)
class NoiseField:
    """Standard normal noise over an image, any box of any draw at will.

    Every (draw, channel, plane of the first axis) has its own stream of a counter-based generator, so a box
    costs its planes only and does not depend on what was asked before.
    """

    layout: Layout
    channels: int
    seed: int
    dtype: torch.dtype = torch.float32

    def box(self, draw: int, where: Slices) -> Tensor:
        """(C, *box) of the padded image; constant padding carries no noise."""
        if self.layout.is_padded:
            whole = self._planes(draw, 0, self.layout.shape[0])
            return self._padded(whole)[(slice(None), *where)]
        planes = self._planes(draw, where[0].start, where[0].stop)
        return planes[(slice(None), slice(None), *where[1:])]

    def _padded(self, noise: Tensor) -> Tensor:
        if self.layout.windows.padding != "constant":
            return self.layout.pad(noise)
        out = torch.zeros((self.channels, *self.layout.padded), dtype=self.dtype)
        self.layout.unpad(out)[:] = noise
        return out

    def _planes(self, draw: int, start: int, stop: int) -> Tensor:
        shape = self.layout.shape[1:]
        out = np.empty((self.channels, stop - start, *shape), dtype=np.float32)
        for channel in range(self.channels):
            for plane in range(start, stop):
                bits = np.random.Philox(key=self.seed, counter=[0, channel, plane, draw])
                np.random.Generator(bits).standard_normal(dtype=np.float32, out=out[channel, plane - start])
        return torch.from_numpy(out).to(self.dtype)


@dataclass(frozen=True)
class Noisy:
    """The input plus Gaussian noise, averaged."""

    image: Tensor
    noise: NoiseField
    sigma: Tensor
    draws: int

    def __len__(self) -> int:
        return self.draws

    def input(self, draw: int, where: Slices) -> Tensor:
        return self.image[(slice(None), *where)] + self.sigma * self.noise.box(draw, where)

    def factor(self, draw: int, where: Slices) -> float:
        return 1.0 / self.draws


@dataclass(frozen=True)
class RandomPath:
    """Random points on lines from random baselines: the expectation that defines expected gradients.

    Attributes:
        positions: (n,) in [0, 1].
        choices: (n,) which baseline each draw uses.
        sigma: (C, 1, ...) noise added to the input before the line is drawn; zero for none.
    """

    image: Tensor
    baselines: Sequence[Tensor]
    positions: Sequence[float]
    choices: Sequence[int]
    noise: NoiseField
    sigma: Tensor

    def __len__(self) -> int:
        return len(self.positions)

    def _ends(self, draw: int, where: Slices) -> tuple[Tensor, Tensor]:
        box = (slice(None), *where)
        end = self.image[box]
        if bool((self.sigma > 0).any()):
            end = end + self.sigma * self.noise.box(draw, where)
        return self.baselines[self.choices[draw]][box], end

    def input(self, draw: int, where: Slices) -> Tensor:
        start, end = self._ends(draw, where)
        return torch.lerp(start, end, self.positions[draw])

    def factor(self, draw: int, where: Slices) -> Tensor:
        start, end = self._ends(draw, where)
        return (end - start) / len(self)
