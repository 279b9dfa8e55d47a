"""Images near the one that is explained, the same ones for all methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.gradient.noise_scale import channel_range
from voxplain.engine import Problem
from voxplain.errors import InputError

SALT = 0x5E45
Shape = Literal["box", "gaussian"]


@dataclass(frozen=True)
class Neighbours:
    """Images ``x + δ``.

    Attributes:
        draws: how many.
        radius: of δ, as a share of each channel's range (maximum − minimum), whatever its unit is.
        shape: ``box``: every voxel of δ uniform in ±radius (the ball of the maximum norm); ``gaussian``: normal with
            this standard deviation.
    """

    draws: int
    radius: float
    shape: Shape

    def check(self, name: str) -> None:
        """Refuse parameters that leave nothing to compare.

        Raises:
            InputError: no draws, no radius, unknown shape.
        """
        if self.draws < 1:
            raise InputError(f"{name}: found draws={self.draws}, expected at least 1")
        if not 0 < self.radius < np.inf:
            raise InputError(f"{name}: found radius={self.radius}, expected a positive share such as 0.02")
        if self.shape not in ("box", "gaussian"):
            raise InputError(f"{name}: found shape={self.shape!r}, expected 'box' or 'gaussian'")

    def image(self, problem: Problem, draw: int) -> Tensor:
        """(C, *spatial) of one draw."""
        return problem.image + self.offset(problem, draw)

    def offset(self, problem: Problem, draw: int) -> Tensor:
        """δ of one draw, (C, *spatial)."""
        rng = np.random.default_rng([problem.seed, draw, SALT])
        shape = tuple(problem.image.shape)
        if self.shape == "box":
            unit = 2 * rng.random(shape, dtype=np.float32) - 1
        else:
            unit = rng.standard_normal(shape, dtype=np.float32)
        return self.radius * channel_range(problem.image) * torch.from_numpy(unit).to(problem.dtype)
