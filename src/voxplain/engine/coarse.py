"""Random smooth masks: coarse grids of zeros and ones, interpolated, at random shifts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from voxplain.engine.layout import Slices


@dataclass(frozen=True)
class CoarseMasks:
    """Masks in [0, 1] over an image, any box of any draw at will.

    Nodes lie ``cell`` voxels apart; each is 1 with probability ``keep``; in between the mask is interpolated
    linearly along every axis. The grid as a whole is shifted by 0 … cell − 1 voxels along each axis, so that every
    voxel has the mean ``keep`` and the variance `variance`. A draw has its own stream of a counter-based generator,
    so a box does not depend on what was asked before.

    Attributes:
        shape: of the image, (*spatial).
        cell: voxels between nodes along each axis, at least 1.
    """

    shape: tuple[int, ...]
    cell: tuple[int, ...]
    keep: float
    seed: int

    def grid(self, draw: int) -> tuple[np.ndarray, tuple[int, ...]]:
        """The nodes of a draw, bool, and the shift along every axis."""
        rng = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, draw]))
        shift = tuple(int(rng.integers(c)) for c in self.cell)
        nodes = [(s - 1 + c - 1) // c + 2 for s, c in zip(self.shape, self.cell, strict=True)]
        return rng.random(nodes) < self.keep, shift

    def box(self, draw: int, where: Slices) -> Tensor:
        """(*box) double."""
        nodes, shift = self.grid(draw)
        mask = torch.from_numpy(nodes.astype(np.float64))
        for axis, (box, offset, cell) in enumerate(zip(where, shift, self.cell, strict=True)):
            position = torch.arange(box.start, box.stop) + offset
            below = position // cell
            weight = ((position % cell).double() / cell).reshape(-1, *(1,) * (mask.dim() - axis - 1))
            mask = torch.lerp(mask.index_select(axis, below), mask.index_select(axis, below + 1), weight)
        return mask

    @property
    def variance(self) -> float:
        """Variance of a voxel over draws: ``p (1 − p) Π_axis mean_j [(1 − j/c)² + (j/c)²]``, ``j = 0 … c − 1``."""
        share = [np.arange(c) / c for c in self.cell]
        return self.keep * (1 - self.keep) * float(np.prod([np.mean((1 - a) ** 2 + a**2) for a in share]))
