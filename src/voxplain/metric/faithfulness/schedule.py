"""How many voxels or parts are replaced at each step, and the area under what then comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError

Kind = Literal["linear", "geometric"]


@dataclass(frozen=True)
class Schedule:
    """Fractions of the whole at which a curve is read.

    Linear: ``upto · k / steps``, k = 1 … steps. Geometric: ``upto · least^((steps − k) / (steps − 1))``, so that the
    first step is ``upto · least`` and every step the same multiple of the one before.
    """

    steps: int
    kind: Kind
    least: float
    upto: float

    def counts(self, total: int) -> tuple[int, ...]:
        """Fractions of so many things, each rounded to a number from 1 to all, none twice.

        >>> Schedule(4, "linear", 0.1, 1.0).counts(10)
        (2, 5, 8, 10)
        >>> Schedule(4, "geometric", 0.001, 1.0).counts(1000)
        (1, 10, 100, 1000)
        """
        k = np.arange(1, self.steps + 1)
        shares = (
            k / self.steps if self.kind == "linear" else self.least ** ((self.steps - k) / (self.steps - 1))
        )
        found = np.clip(np.rint(self.upto * shares * total), 1, total).astype(int)
        return tuple(int(n) for n in np.unique(found))

    def positions(self, counts: Sequence[int]) -> NDArray[np.float64]:
        """Where 0 and the counts lie on the curve's axis from 0 to 1: their share, or evenly on a geometric one."""
        if self.kind == "linear":
            return np.array([0, *counts]) / counts[-1]
        return np.linspace(0, 1, len(counts) + 1)

    def check(self, name: str) -> None:
        """Refuse what is no schedule.

        Raises:
            InputError: too few steps, an unknown kind, shares out of range.
        """
        if self.steps < 2:
            raise InputError(f"{name}: found steps={self.steps}, expected at least 2")
        if self.kind not in ("linear", "geometric"):
            raise InputError(f"{name}: found schedule={self.kind!r}, expected 'linear' or 'geometric'")
        if not 0 < self.least < 1:
            raise InputError(f"{name}: found least={self.least}, expected a share between 0 and 1")
        if not 0 < self.upto <= 1:
            raise InputError(f"{name}: found upto={self.upto}, expected a share above 0, at most 1")


def area(positions: NDArray[np.float64], curve: NDArray[np.float64]) -> float:
    """``Σ_k (u_{k+1} − u_k) (c_k + c_{k+1}) / 2`` (trapezoid).

    >>> area(np.array([0, 0.5, 1]), np.array([1.0, 0.0, 0.0]))
    0.25
    """
    return float((np.diff(positions) * (curve[1:] + curve[:-1]) / 2).sum())
