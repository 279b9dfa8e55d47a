"""Bright spots of compact support at places that no subject shares with another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.phantom.disease.anatomy import Anatomy, in_plane
from voxplain.phantom.grid import Grid

Floats = NDArray[np.float32]

_COUNT = (2, 4)  # the fewest and the most of a subject
_RADIUS = (14.0, 20.0)  # mm; the brightness has fallen to a half at 0.54 of it
_DEPTH = 0.75  # of the body's half axes: centres lie within, so that spots do not reach the outline
_APART = 36.0  # mm from the centres of ventricle and nucleus, which stay as they are
_TRIES = 1000


@dataclass(frozen=True)
class Spot:
    """Brightness (1 − (r / R)²)² within the radius R of a centre, and exactly 0 beyond.

    Attributes:
        center: anatomical mm (R, A, S).
        radius: R in mm.
    """

    center: tuple[float, float, float]
    radius: float

    def brightness(self, points: Floats) -> Floats:
        """(...) from 0 to 1 at points (3, ...) mm."""
        away = points - np.reshape(self.center, (3,) + (1,) * (points.ndim - 1))
        share = (away**2).sum(axis=0) / self.radius**2
        return np.asarray(np.clip(1 - share, 0, None) ** 2, dtype=np.float32)


def draw_spots(rng: np.random.Generator, person: Anatomy, grid: Grid) -> tuple[Spot, ...]:
    """Two to four within the body of a subject; of a slice, in its plane."""
    structures = [np.array(person.center(name, grid)) for name in person.structures]
    count = int(rng.integers(_COUNT[0], _COUNT[1] + 1))
    found: list[Spot] = []
    for _ in range(_TRIES):
        if len(found) == count:
            break
        place = rng.uniform(-1, 1, 3)
        radius = float(rng.uniform(*_RADIUS))
        center = in_plane(place * np.array(person.body.axes) * _DEPTH + np.array(person.body.center), grid)
        share = (center - np.array(person.body.center)) / (np.array(person.body.axes) * _DEPTH)
        near = [np.linalg.norm(center - c) for c in structures]
        others = [np.linalg.norm(center - np.array(s.center)) - s.radius for s in found]
        if (share**2).sum() <= 1 and min(near) >= _APART and all(gap >= radius / 2 for gap in others):
            x, y, z = (float(v) for v in center)
            found.append(Spot((x, y, z), radius))
    return tuple(found)


def together(spots: Sequence[Spot], points: Floats) -> Floats:
    """(...) the brightest of all spots at points (3, ...) mm."""
    out = np.zeros(points.shape[1:], np.float32)
    for spot in spots:
        out = np.maximum(out, spot.brightness(points))
    return out
