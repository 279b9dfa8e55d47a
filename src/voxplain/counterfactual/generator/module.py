"""What generators that are modules share: statistics that move with the weights, and samples of a normal distribution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.errors import InputError


class ModuleGenerator(nn.Module):
    """A generator of one shape of images.

    Args:
        shape: (C, *S).
        statistics: of plausible codes.
    """

    def __init__(self, shape: Sequence[int], statistics: LatentStatistics) -> None:
        super().__init__()
        self.shape, self.statistics = tuple(shape), statistics

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Statistics move with the weights."""
        statistics = self.statistics
        self.statistics = LatentStatistics(fn(statistics.mean), fn(statistics.factor))
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def check(self, images: Tensor) -> None:
        """Images (N, C, *S) must be of the shape.

        Raises:
            InputError: they are of another.
        """
        if tuple(images.shape[1:]) != self.shape:
            raise InputError(
                f"images: found shape {tuple(images.shape[1:])}, expected {self.shape} as was learned from"
            )

    def sample(self, count: int, *, seed: int) -> Tensor:
        """(N, D) codes of a normal distribution with the mean and covariance of plausible ones."""
        normal = torch.randn(count, self.statistics.rank, generator=torch.Generator().manual_seed(seed))
        return self.statistics.colour(normal.to(self.statistics.factor))
