"""Smooth random fields that are functions of position, not of the voxel grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_CHUNK = 1 << 16  # points evaluated at a time: keeps the phases in cache and the peak memory flat


@dataclass(frozen=True)
class Waves:
    """A sum of plane waves of random direction and phase: zero mean, unit variance, smooth.

    `f(x) = sqrt(2 / W) Σ cos(k_w · x + φ_w)`, with W waves; a Gaussian random field for large W.

    Attributes:
        vectors: (W, 3) wave vectors k, radians per mm.
        phases: (W,) radians.
    """

    vectors: Floats
    phases: Floats

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        wavelength: float,
        count: int = 24,
        stretch: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> Waves:
        """Draw waves of about one wavelength (mm, ±25 %), stretched along R, A, S."""
        directions = rng.normal(size=(count, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = wavelength * rng.uniform(0.8, 1.25, size=(count, 1))
        vectors = 2 * np.pi * directions / lengths / np.asarray(stretch)
        phases = rng.uniform(0, 2 * np.pi, size=count)
        return cls(vectors.astype(np.float32), phases.astype(np.float32))

    def __call__(self, points: Floats) -> Floats:
        """The field at points (3, ...), as (...)."""
        return self._evaluate(points, gradient=False)[0]

    def distance(self, points: Floats) -> Floats:
        """About the distance (mm) to the nearest zero of the field, `|f| / |∇f|`, at points (3, ...)."""
        value, slope = self._evaluate(points, gradient=True)
        return np.asarray(np.abs(value) / np.maximum(slope, 1e-6), dtype=np.float32)

    def _evaluate(self, points: Floats, *, gradient: bool) -> tuple[Floats, Floats]:
        flat = points.reshape(3, -1)
        value = np.empty(flat.shape[1], dtype=np.float32)
        slope = np.empty(flat.shape[1] if gradient else 0, dtype=np.float32)
        norm = np.float32(np.sqrt(2 / len(self.phases)))
        for start in range(0, flat.shape[1], _CHUNK):
            part = slice(start, start + _CHUNK)
            phase = self.vectors @ flat[:, part] + self.phases[:, None]
            value[part] = norm * np.cos(phase).sum(axis=0)
            if gradient:
                slope[part] = norm * np.linalg.norm(self.vectors.T @ np.sin(phase), axis=0)
        return value.reshape(points.shape[1:]), slope.reshape(points.shape[1:] if gradient else (0,))


def warp(points: Floats, rng: np.random.Generator, amplitude: float, wavelength: float) -> Floats:
    """Points (3, ...) moved smoothly by about `amplitude` mm (standard deviation per axis)."""
    fields = [Waves.draw(rng, wavelength, 12) for _ in range(3)]  # drawn even at 0: later draws stay the same
    if amplitude == 0:
        return points
    return np.stack([p + np.float32(amplitude) * f(points) for p, f in zip(points, fields, strict=True)])
