"""Mean and spread of codes, and the coordinates in which all directions are equally plausible."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from voxplain.errors import InputError


@dataclass(frozen=True, eq=False)
class LatentStatistics:
    """Codes w = mean + factor · u, with u of mean 0 and covariance 1.

    Lengths of u are Mahalanobis distances: standard deviations of plausible codes. A direction that is fitted on w itself
    points where codes hardly vary as readily as where they do; fitted on u it does not.

    Args:
        mean: (D,).
        factor: (D, R), R ≤ D, of full column rank: the covariance is its product with its transpose.
    """

    mean: Tensor
    factor: Tensor

    def __post_init__(self) -> None:
        if self.factor.ndim != 2 or self.mean.shape != self.factor.shape[:1] or 0 in self.factor.shape:
            raise InputError(
                f"factor: found shape {tuple(self.factor.shape)} for a mean of {tuple(self.mean.shape)}, expected (D, R)"
            )

    @classmethod
    def of(cls, codes: Tensor, *, least: float = 1e-6) -> Self:
        """Of codes (N, D). Directions whose variance is below a share ``least`` of the largest are left out.

        Raises:
            InputError: fewer than two codes, or codes that do not vary.
        """
        if codes.ndim != 2 or len(codes) < 2:
            raise InputError(f"codes: found shape {tuple(codes.shape)}, expected (N, D) with N of at least 2")
        mean = codes.mean(0)
        _, spread, basis = torch.linalg.svd((codes - mean).double(), full_matrices=False)
        kept = spread**2 > least * spread[0] ** 2
        if not (spread[0] > 0):
            raise InputError("codes: found all alike, expected some that differ")
        factor = basis[kept].T * (spread[kept] / (len(codes) - 1) ** 0.5)
        return cls(mean, factor.to(codes.dtype))

    def to(self, device: torch.device | str) -> LatentStatistics:
        """The same on another device."""
        return LatentStatistics(self.mean.to(device), self.factor.to(device))

    @property
    def rank(self) -> int:
        """R."""
        return int(self.factor.shape[1])

    def whiten(self, codes: Tensor) -> Tensor:
        """Codes (N, D) to u (N, R); what lies outside of the family's span is lost."""
        return (codes - self.mean) @ self._inverse.T

    def colour(self, u: Tensor) -> Tensor:
        """Whitened codes (N, R) to codes (N, D)."""
        return self.mean + u @ self.factor.T

    def length(self, step: Tensor) -> Tensor:
        """Mahalanobis length of steps (..., D) between codes."""
        found: Tensor = torch.linalg.vector_norm(step @ self._inverse.T, dim=-1)
        return found

    def distance(self, codes: Tensor) -> Tensor:
        """(N,) Mahalanobis distance from the mean; of plausible codes about √R."""
        return self.length(codes - self.mean)

    @cached_property
    def _inverse(self) -> Tensor:
        inverse: Tensor = torch.linalg.pinv(self.factor.double()).to(self.factor.dtype)
        return inverse
