"""A body with a dark ventricle on the left and a bright nucleus on the right, as a function of position."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from voxplain.phantom.ellipsoid import Ellipsoid, jittered
from voxplain.phantom.grid import Grid
from voxplain.phantom.waves import Waves, warp

Floats = NDArray[np.float32]

DISEASE_CLASSES = ("background", "body", "ventricle", "nucleus")
EXTENT = (200.0, 200.0, 200.0)  # mm that just fit an image
SIDES = {"left": "ventricle", "right": "nucleus"}

_BODY = Ellipsoid((0.0, 0.0, 0.0), (86.0, 90.0, 84.0))
_STRUCTURES = {
    "ventricle": Ellipsoid((-38.0, 0.0, 0.0), (17.0, 19.0, 17.0)),
    "nucleus": Ellipsoid((38.0, 0.0, 0.0), (17.0, 16.0, 17.0)),
}
_BRIGHTNESS = {"body": 0.55, "ventricle": 0.2, "nucleus": 0.9}
_NEAR = 1e-3  # mm
_WAVELENGTH = 110.0  # mm, of the smooth deformation that makes subjects differ


@dataclass(frozen=True)
class Anatomy:
    """One healthy subject.

    Attributes:
        body: outline, before the subject's own deformation; so are the structures.
        structures: ventricle and nucleus.
        texture: smooth variation of the brightness, without which no motion inside of a tissue could be seen.
        seed: of the subject's deformation.
        bend: its size in mm (standard deviation per axis).
        contrast: of the texture.
    """

    body: Ellipsoid
    structures: dict[str, Ellipsoid]
    texture: Waves
    seed: tuple[int, ...]
    bend: float
    contrast: float

    def image(self, points: Floats, edge: float) -> Floats:
        """Brightness in [0, 1.2] at points (3, ...) mm, with borders that are this soft (mm)."""
        own = self._own(points)
        inside = _soft(self.body, own, edge)
        out = inside * (_BRIGHTNESS["body"] + np.float32(self.contrast) * self.texture(own))
        for name, structure in self.structures.items():
            share = _soft(structure, own, edge)
            out = (1 - share) * out + share * np.float32(_BRIGHTNESS[name])
        return np.asarray(out, dtype=np.float32)

    def label(self, points: Floats) -> NDArray[np.int32]:
        """Index into DISEASE_CLASSES at points (3, ...) mm."""
        own = self._own(points)
        label = self.body.inside(own).astype(np.int32)
        for name, structure in self.structures.items():
            label[structure.inside(own)] = DISEASE_CLASSES.index(name)
        return label

    def center(self, name: str, grid: Grid) -> tuple[float, float, float]:
        """Where the deformation has put a structure's centre (mm); of a slice, the nearest point in its plane."""
        wanted = np.array(self.structures[name].center)
        place = wanted.copy()
        for _ in range(30):
            off = self._own(place[:, None].astype(np.float32))[:, 0] - wanted
            before, place = place, in_plane(place - off, grid)
            if np.abs(place - before).max() < _NEAR:
                break
        x, y, z = (float(v) for v in place)
        return x, y, z

    def _own(self, points: Floats) -> Floats:
        """Points in the subject before its deformation."""
        return warp(points, np.random.default_rng(self.seed), self.bend, _WAVELENGTH)


def draw_anatomy(seed: int, subject: int, *, bend: float, jitter: float, contrast: float) -> Anatomy:
    """A subject's anatomy: structures moved by up to `jitter` mm and resized by up to 1 % per mm of it."""
    rng = np.random.default_rng([seed, subject, 0])
    parts = {
        name: jittered(structure, rng, shift=jitter, size=jitter / 100, turn=2 * jitter)
        for name, structure in _STRUCTURES.items()
    }
    body = replace(jittered(_BODY, rng, shift=jitter / 2, size=jitter / 100, turn=jitter))
    texture = Waves.draw(rng, 38.0, 16)
    return Anatomy(body, parts, texture, (seed, subject, 1), bend, contrast)


def in_plane(point: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """The nearest point (3,) in a slice's plane; of a volume the point itself."""
    if len(grid.shape) == 3:
        return point
    normal = np.cross(grid.linear[:, 0], grid.linear[:, 1])
    normal /= np.linalg.norm(normal)
    return np.asarray(point - normal * (normal @ (point - np.asarray(grid.center))))


def _soft(ellipsoid: Ellipsoid, points: Floats, edge: float) -> Floats:
    return np.asarray(expit(ellipsoid.depth(points) / np.float32(edge)), dtype=np.float32)
