"""The outlines of masses in the tumour phantom: oval, lobulated and round, all of one size for one radius."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.phantom.ellipsoid import Ellipsoid

Floats = NDArray[np.float32]
Point = tuple[float, float, float]

_LOBES = 5
_LOBE_AT, _LOBE_RADIUS, _CORE_RADIUS = 0.66, 0.46, 0.62  # in units of the mass's radius
_SLAB = 0.5  # half of the height (in radii) in which the area of a section is that of a ball


@dataclass(frozen=True)
class Mass:
    """A body made of ellipsoids.

    Attributes:
        parts: the ellipsoids; the body is their union.
        hull: an ellipsoid of the body's size around the same centre.
        radius: of the ball (mm) with the same area of section.
    """

    parts: tuple[Ellipsoid, ...]
    hull: Ellipsoid
    radius: float

    def inside(self, points: Floats) -> NDArray[np.bool_]:
        """True at points (3, ...) inside or on the surface."""
        return np.asarray(np.logical_or.reduce([part.inside(points) for part in self.parts]))


def oval(center: Point, radius: float, rng: np.random.Generator) -> Mass:
    """An ellipsoid that is up to 1.3 times as long as a ball and as high as it, turned at random in the axial plane."""
    stretch = float(rng.uniform(1.1, 1.3))
    body = Ellipsoid(
        center, (radius * stretch, radius / stretch, radius), (0.0, 0.0, float(rng.uniform(-90, 90)))
    )
    return Mass((body,), body, radius)


def lobulated(center: Point, radius: float, rng: np.random.Generator) -> Mass:
    """A core with five lobes around it in the axial plane; the lobes make its outline scalloped."""
    angles = 2 * np.pi * (np.arange(_LOBES) + rng.uniform(-0.15, 0.15, _LOBES) + rng.uniform()) / _LOBES
    lobes = [
        Ellipsoid(
            (_LOBE_AT * float(np.cos(a)), _LOBE_AT * float(np.sin(a)), 0.0),
            (_LOBE_RADIUS, _LOBE_RADIUS, 0.85),
        )
        for a in angles
    ]
    unit = (Ellipsoid((0.0, 0.0, 0.0), (_CORE_RADIUS, _CORE_RADIUS, 1.0)), *lobes)
    wide = radius * _as_wide_as_a_ball(unit)
    x, y, z = center
    parts = tuple(
        Ellipsoid(
            (x + wide * p.center[0], y + wide * p.center[1], z),
            (wide * p.axes[0], wide * p.axes[1], radius * p.axes[2]),
        )
        for p in unit
    )
    return Mass(parts, Ellipsoid(center, (radius, radius, radius)), radius)


def round_(center: Point, radius: float, rng: np.random.Generator) -> Mass:
    """A ball."""
    del rng  # as the others are called
    body = Ellipsoid(center, (radius, radius, radius))
    return Mass((body,), body, radius)


def _as_wide_as_a_ball(unit: tuple[Ellipsoid, ...]) -> float:
    """The in-plane factor that gives a union of ellipsoids around 0 the mean area of section of the unit ball."""
    steps = (np.arange(48, dtype=np.float32) + 0.5) / 24 - 1
    grid = np.stack(np.meshgrid(1.3 * steps, 1.3 * steps, _SLAB * steps[::4], indexing="ij")).astype(
        np.float32
    )
    filled = np.mean([np.logical_or.reduce([p.inside(grid) for p in unit])]) * 2.6**2
    return float(np.sqrt(np.pi * (1 - _SLAB**2 / 3) / filled))


SHAPES: Mapping[str, Callable[[Point, float, np.random.Generator], Mass]] = {
    "oval": oval,
    "lobulated": lobulated,
    "round": round_,
}
