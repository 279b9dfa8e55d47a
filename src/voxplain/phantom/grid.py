"""The voxel grid that a phantom is sampled on, and where its voxels lie in the patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from nibabel.orientations import axcodes2ornt, io_orientation
from numpy.typing import ArrayLike, NDArray

from voxplain.case import Geometry
from voxplain.errors import InputError, suggest

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """A voxel grid whose centre lies at a chosen point of the anatomy.

    Attributes:
        geometry: shape and affine of the image.
        center: the anatomical point (mm) at the grid's centre.
        scale: size of the anatomy relative to life (1 is life size).
    """

    geometry: Geometry
    center: tuple[float, float, float]
    scale: float

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of voxels along each of the 2 or 3 axes."""
        return self.geometry.shape

    @property
    def linear(self) -> Array:
        """(3, 3) part of the affine: millimetres per voxel step."""
        return np.asarray(self.geometry.affine[:3, :3], dtype=np.float64)

    @property
    def voxel_mm(self) -> float:
        """Mean voxel edge (mm)."""
        return float(np.mean(self.geometry.spacing))

    @property
    def middle(self) -> Array:
        """(3,) voxel index of the grid's centre; 0 along the axis that a 2-D grid lacks."""
        index = [(n - 1) / 2 for n in self.shape]
        return np.array([*index, *[0.0] * (3 - len(index))])

    def anatomy(self, indices: ArrayLike) -> Array:
        """Voxel indices (3, ...) to life-size anatomical millimetres (3, ...), float64."""
        offset = np.asarray(indices, dtype=np.float64)
        column = (3,) + (1,) * (offset.ndim - 1)
        moved = np.tensordot(self.linear / self.scale, offset - self.middle.reshape(column), axes=1)
        return np.asarray(moved + np.asarray(self.center).reshape(column))

    def points(self) -> NDArray[np.float32]:
        """(3, *shape) life-size anatomical millimetres of every voxel's centre."""
        shape = self.shape + (1,) * (3 - len(self.shape))
        steps = [np.arange(n) - m for n, m in zip(shape, self.middle, strict=True)]
        matrix = self.linear / self.scale
        axes = [
            step.reshape([-1 if a == axis else 1 for a in range(3)]) * matrix[:, axis].reshape(3, 1, 1, 1)
            for axis, step in enumerate(steps)
        ]
        points = axes[0] + axes[1] + axes[2] + np.reshape(self.center, (3, 1, 1, 1))
        return np.asarray(points.reshape(3, *self.shape), dtype=np.float32)

    def to_world(self, points: ArrayLike) -> Array:
        """Anatomical millimetres (..., 3) to the image's RAS millimetres (..., 3)."""
        middle = self.linear @ self.middle + self.geometry.affine[:3, 3]
        offset = np.asarray(points, dtype=np.float64) - np.asarray(self.center)
        return np.asarray(offset * self.scale + middle)

    def describe(self) -> dict[str, object]:
        """What places the anatomy on the grid, JSON-able."""
        return {"center_mm": [float(c) for c in self.center], "scale": float(self.scale)}


def make_grid(
    shape: Sequence[int],
    *,
    spacing: float | Sequence[float] | None = None,
    orientation: str = "RAS",
    affine: ArrayLike | None = None,
    center: Sequence[float] = (0.0, 0.0, 0.0),
    scale: float | None = None,
    extent: Sequence[float] | None = None,
) -> Grid:
    """Build the grid of a phantom.

    Args:
        shape: 2 or 3 numbers of voxels.
        spacing: voxel edges in mm, one number or one per axis; None lets life-size anatomy fit the grid.
        orientation: where the axes run, e.g. "LIA"; the letters of a 2-D grid's two axes come first.
        affine: (4, 4) voxel -> RAS mm; instead of spacing and orientation.
        center: anatomical point (mm) at the grid's centre: chooses the plane of a 2-D phantom.
        scale: size of the anatomy, 1 is life size; None makes it fit the grid.
        extent: width of the anatomy (mm) along R, A, S; None where it has no size of its own.

    Raises:
        InputError: for a shape, spacing, orientation or scale that cannot be.
        GeometryError: for an affine that cannot be.

    >>> make_grid((20, 30), spacing=2.0, orientation="LPS").geometry.orientation[:2]
    'LP'
    """
    shape = _checked_shape(shape)
    middle = _checked_vector("center", center, 3)
    if affine is not None:
        if spacing is not None or orientation != "RAS":
            raise InputError(
                "affine: spacing or orientation given as well; give the affine alone, it holds both"
            )
        geometry = Geometry(affine=np.asarray(affine, dtype=np.float64), shape=shape)
    else:
        geometry = _axis_aligned(shape, _edges(shape, spacing, orientation, extent), orientation)
    if scale is None:
        scale = 1.0 if extent is None else _fit(geometry, extent)
    if not (np.isfinite(scale) and scale > 0):
        raise InputError(f"scale: {scale!r} is not a positive number; 1 is life size, None fits the grid")
    return Grid(geometry=geometry, center=(middle[0], middle[1], middle[2]), scale=float(scale))


def _checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    whole = tuple(int(n) for n in shape)
    if len(whole) not in (2, 3) or any(w != n or w < 1 for w, n in zip(whole, shape, strict=True)):
        raise InputError(f"shape: {tuple(shape)} is no voxel grid; 2 or 3 positive whole numbers would be")
    return whole


def _checked_vector(name: str, values: Sequence[float], length: int) -> tuple[float, ...]:
    vector = tuple(float(v) for v in values)
    if len(vector) != length or not np.all(np.isfinite(vector)):
        raise InputError(f"{name}: {vector} is not usable; {length} finite numbers would be")
    return vector


def _orientation(letters: str) -> tuple[NDArray[np.int64], Array]:
    """World axis and sign of each of the three voxel axes."""
    pairs = ("LR", "PA", "IS")
    known = len(letters) == 3 and all(sum(c in pair for c in letters.upper()) == 1 for pair in pairs)
    if not known:
        raise InputError(
            f"orientation: {letters!r} is not three letters, one of each of L/R, P/A, I/S; "
            + suggest(letters, ["RAS", "LAS", "LPS", "LIA", "RSA"])
        )
    table = axcodes2ornt(tuple(letters.upper()))
    return np.asarray(table[:, 0], dtype=np.int64), np.asarray(table[:, 1], dtype=np.float64)


def _edges(
    shape: tuple[int, ...],
    spacing: float | Sequence[float] | None,
    orientation: str,
    extent: Sequence[float] | None,
) -> tuple[float, float, float]:
    """Voxel edges along the three axes; the third of a 2-D grid is the mean of the two given."""
    if spacing is None:
        world, _ = _orientation(orientation)
        fitting = [extent[world[a]] / shape[a] for a in range(len(shape))] if extent is not None else [1.0]
        spacing = max(fitting)
    given = [float(spacing)] * len(shape) if np.ndim(spacing) == 0 else [float(s) for s in spacing]  # type: ignore[arg-type,union-attr]
    if len(given) == 2 and len(shape) == 2:
        given.append(sum(given) / 2)
    if len(given) != 3 or not all(np.isfinite(g) and g > 0 for g in given):
        raise InputError(
            f"spacing: {spacing} does not fit shape {shape}; one positive number (mm) or {len(shape)} would"
        )
    return given[0], given[1], given[2]


def _axis_aligned(shape: tuple[int, ...], edges: tuple[float, ...], orientation: str) -> Geometry:
    """An axis-aligned grid whose centre is the world's origin."""
    world, sign = _orientation(orientation)
    affine = np.eye(4)
    affine[:3, :3] = 0.0
    for axis in range(3):
        affine[world[axis], axis] = sign[axis] * edges[axis]
    middle = np.array([(n - 1) / 2 for n in shape] + [0.0] * (3 - len(shape)))
    affine[:3, 3] = -affine[:3, :3] @ middle
    return Geometry(affine=affine, shape=shape)


def _fit(geometry: Geometry, extent: Sequence[float]) -> float:
    """The scale at which anatomy of this extent just fits into the grid."""
    world = io_orientation(geometry.affine)[:, 0].astype(int)
    edges = np.linalg.norm(geometry.affine[:3, :3], axis=0)
    return float(min(n * edges[a] / extent[world[a]] for a, n in enumerate(geometry.shape)))
