"""Velocity fields that are functions of position, and where their flow takes each point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_STEPS = 10  # of Runge and Kutta's fourth order: errors of 1e-5 mm, far below what a grid of voxels can show


@dataclass(frozen=True)
class Bump:
    """A velocity that enlarges (rate > 0) or shrinks what lies around a centre: v(x) = rate · (x − c) exp(−|x − c|² / 2σ²).

    Attributes:
        center: c in anatomical mm (R, A, S).
        rate: per unit of dose; at the centre, the logarithm of the growth along each axis.
        sigma: mm.
    """

    center: tuple[float, float, float]
    rate: float
    sigma: float

    def velocity(self, points: Array) -> Array:
        """(3, ...) mm per unit of dose."""
        away, fall = self._around(points)
        return np.asarray(self.rate * away * fall)

    def divergence(self, points: Array, dims: int) -> Array:
        """(...) of the field within the plane (dims 2) or in space."""
        away, fall = self._around(points)
        return np.asarray(self.rate * fall * (dims - (away**2).sum(axis=0) / self.sigma**2))

    def _around(self, points: Array) -> tuple[Array, Array]:
        away = points - np.reshape(self.center, (3,) + (1,) * (points.ndim - 1))
        return away, np.exp(-(away**2).sum(axis=0) / (2 * self.sigma**2))


def flow(bumps: Sequence[Bump], points: Array, dose: float, dims: int) -> tuple[Array, Array]:
    """Where points are after flowing for a dose, and how much space has grown on the way.

    The logarithm of the volume grows by the divergence along the path (Liouville), so both come from one integration by
    Runge and Kutta's fourth order; no grid is involved. The flow of −dose is the exact inverse.

    Args:
        bumps: whose velocities add up.
        points: (3, ...) anatomical mm.
        dose: of any sign.
        dims: 2 where points and centres lie in one plane, else 3.

    Returns:
        points (3, ...) in mm and the log-Jacobian determinant (...) at the start of each path.
    """
    here, growth = points.copy(), np.zeros(points.shape[1:])
    if dose == 0:
        return here, growth
    step = dose / _STEPS
    for _ in range(_STEPS):
        first, d1 = _rates(bumps, here, dims)
        second, d2 = _rates(bumps, here + step / 2 * first, dims)
        third, d3 = _rates(bumps, here + step / 2 * second, dims)
        fourth, d4 = _rates(bumps, here + step * third, dims)
        here += step / 6 * (first + 2 * second + 2 * third + fourth)
        growth += step / 6 * (d1 + 2 * d2 + 2 * d3 + d4)
    return here, growth


def _rates(bumps: Sequence[Bump], points: Array, dims: int) -> tuple[Array, Array]:
    velocity, divergence = np.zeros_like(points), np.zeros(points.shape[1:])
    for bump in bumps:
        velocity += bump.velocity(points)
        divergence += bump.divergence(points, dims)
    return velocity, divergence
