"""The building block of the anatomical phantoms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from voxplain.phantom.grid import Grid

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid in anatomical mm (R, A, S), turned by Euler angles (degrees, xyz)."""

    center: tuple[float, float, float]
    axes: tuple[float, float, float]
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def volume(self) -> float:
        """4/3 π abc, in mm³ at life size."""
        return float(4 / 3 * np.pi * np.prod(self.axes))

    def grown(self, factor: float) -> Ellipsoid:
        """The same centre and `factor` times the volume: larger ones contain smaller ones."""
        a, b, c = (float(axis * np.cbrt(factor)) for axis in self.axes)
        return Ellipsoid(self.center, (a, b, c), self.turn)

    def level(self, points: Floats) -> Floats:
        """Squared radius in units of the axes at points (3, ...): at most 1 inside."""
        return np.asarray((self._local(points) ** 2).sum(axis=0))

    def inside(self, points: Floats) -> NDArray[np.bool_]:
        """True at points (3, ...) inside or on the surface."""
        return np.asarray(self.level(points) <= 1)

    def depth(self, points: Floats) -> Floats:
        """About the distance (mm) below the surface at points (3, ...); negative outside.

        First order, `(1 - q) q / |∇q|` with q the radius in units of the axes: exact on the surface.
        """
        local = self._local(points)
        radius = np.sqrt((local**2).sum(axis=0))
        inverse = (1 / np.asarray(self.axes, dtype=np.float32)).reshape((3,) + (1,) * (points.ndim - 1))
        slope = np.sqrt(((local * inverse) ** 2).sum(axis=0))
        # At the centre both vanish; the depth there is the shortest axis.
        return np.where(
            slope > 1e-6, (1 - radius) * radius / np.maximum(slope, 1e-6), np.float32(min(self.axes))
        ).astype(np.float32)

    def describe(self, grid: Grid) -> dict[str, object]:
        """Centre and axes in the image's RAS millimetres, and the exact volume (mm³), JSON-able."""
        return {
            "center_mm": [float(c) for c in grid.to_world(self.center)],
            "axes_mm": [float(a * grid.scale) for a in self.axes],
            "turn_degrees": list(self.turn),
            "volume_mm3": self.volume * grid.scale**3,
        }

    def _local(self, points: Floats) -> Floats:
        column = (3,) + (1,) * (points.ndim - 1)
        moved = points - np.asarray(self.center, dtype=np.float32).reshape(column)
        if any(self.turn):
            turned = Rotation.from_euler("xyz", self.turn, degrees=True).inv().as_matrix()
            moved = np.tensordot(turned.astype(np.float32), moved, axes=1)
        return np.asarray(moved / np.asarray(self.axes, dtype=np.float32).reshape(column))


def jittered(
    ellipsoid: Ellipsoid, rng: np.random.Generator, *, shift: float, size: float, turn: float
) -> Ellipsoid:
    """A person's own version: moved (mm), resized (relative) and turned (degrees), all uniform within ±."""
    move = rng.uniform(-shift, shift, 3)
    grow = rng.uniform(1 - size, 1 + size, 3)
    angles = rng.uniform(-turn, turn, 3)
    x, y, z = (float(c + m) for c, m in zip(ellipsoid.center, move, strict=True))
    a, b, c = (float(axis * g) for axis, g in zip(ellipsoid.axes, grow, strict=True))
    u, v, w = (float(t + d) for t, d in zip(ellipsoid.turn, angles, strict=True))
    return Ellipsoid((x, y, z), (a, b, c), (u, v, w))
