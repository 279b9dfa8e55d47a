"""Branching bright vessels in dim tissue, like time-of-flight MR angiography."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voxplain.case import Case
from voxplain.errors import InputError
from voxplain.phantom.acquisition import bias_field, check_amounts, rician
from voxplain.phantom.grid import Grid, make_grid
from voxplain.phantom.waves import Waves

VESSEL_CLASSES = ("background", "vessel")

Floats = NDArray[np.float32]
Array = NDArray[np.float64]

_TAPER = 0.992  # of the radius, per capsule
_MOST_FORKS = 6  # from root to tip
_MOST_CAPSULES = 3000  # per tree: bounds the time


def vessels(
    shape: Sequence[int] = (64, 64, 64),
    *,
    seed: int,
    spacing: float | Sequence[float] | None = None,
    orientation: str = "RAS",
    affine: ArrayLike | None = None,
    trees: int = 4,
    radius: tuple[float, float] | None = None,
    background: float = 300.0,
    contrast: float = 500.0,
    texture: float = 40.0,
    noise: float = 40.0,
    bias: float = 0.15,
) -> Case:
    """Vessel trees that enter through the sides, wind, taper and fork, with an exact mask.

    The vessels are a union of capsules (`meta["capsules"]`: x0 y0 z0 x1 y1 z1 r, RAS mm); the label is 1
    at voxel centres inside it. The intensity before bias and noise is `background + texture · field +
    contrast · coverage`, where coverage falls from 1 to 0 within a voxel across the wall. In 2-D the
    trees grow in the plane, as on a retina.

    Args:
        shape: 2 or 3 numbers of voxels.
        seed: same seed, same bits.
        spacing: voxel edges (mm), 1 unless given.
        orientation: where the axes run, e.g. "LIA".
        affine: (4, 4) voxel -> RAS mm, instead of spacing and orientation.
        trees: number of trees.
        radius: smallest and largest vessel radius (mm); None: 0.7 and 2.8 voxels, the latter less on
            small grids.
        background: intensity of tissue.
        contrast: intensity of blood above tissue.
        texture: standard deviation of the smooth variation of tissue.
        noise: sigma of the Rician noise.
        bias: standard deviation of the logarithm of the receive field.

    Raises:
        InputError: for numbers that cannot be.

    >>> case = vessels((24, 24), seed=1)
    >>> case.image.shape, sorted(set(case.label.ravel().tolist()))
    ((1, 24, 24), [0, 1])
    """
    check_amounts(background=background, texture=texture, noise=noise, bias=bias, trees=trees)
    grid = make_grid(shape, spacing=spacing, orientation=orientation, affine=affine)
    low, high = _default_radii(grid) if radius is None else (float(radius[0]), float(radius[1]))
    if not 0 < low <= high < np.inf:
        raise InputError(f"radius: {(low, high)} mm is not usable; 0 < smallest <= largest would be")
    rng = np.random.default_rng(seed)
    capsules = np.concatenate([_grow_tree(grid, rng, low, high) for _ in range(trees)] or [np.empty((0, 7))])
    wall = _distance_to_wall(grid, capsules)
    points = grid.points()
    tissue = background + texture * Waves.draw(rng, 12 * grid.voxel_mm, 24)(points)
    clean = tissue + contrast * np.clip(0.5 - wall / grid.voxel_mm, 0, 1)
    image = rician(bias_field(grid, points, bias, rng) * clean.astype(np.float32), noise, rng)
    meta: dict[str, object] = {
        "phantom": "vessels",
        "seed": seed,
        "classes": list(VESSEL_CLASSES),
        "parameters": {
            "trees": trees, "radius_mm": [low, high], "background": background, "contrast": contrast,
            "texture": texture, "noise": noise, "bias": bias,
        },
        "capsules": _in_world(grid, capsules).tolist(),
    }  # fmt: skip
    return Case(
        id=f"vessels-{len(grid.shape)}d-{seed}",
        image=np.ascontiguousarray(image[None], dtype=np.float32),
        geometry=grid.geometry,
        label=(wall <= 0).astype(np.int32),
        meta=meta,
    )


def _default_radii(grid: Grid) -> tuple[float, float]:
    """Vessels of up to 2.8 voxels, but no more than a twentieth of the grid's shortest side."""
    return 0.7 * grid.voxel_mm, float(np.clip(min(grid.shape) / 20, 0.9, 2.8)) * grid.voxel_mm


def _in_world(grid: Grid, capsules: Array) -> Array:
    ends = [grid.to_world(capsules[:, :3]), grid.to_world(capsules[:, 3:6])]
    return np.concatenate([*ends, capsules[:, 6:] * grid.scale], axis=1)


@dataclass(frozen=True)
class _Branch:
    start: Array
    direction: Array
    radius: float
    depth: int  # forks above it


def _grow_tree(grid: Grid, rng: np.random.Generator, low: float, high: float) -> Array:
    """Capsules (n, 7) of one tree: end points (anatomical mm) and radius.

    Branches wind as a random walk of their direction and taper. A fork ends a branch.
    """
    corner = np.array([n - 1 for n in grid.shape] + [0] * (3 - len(grid.shape)), dtype=np.float64)
    start = corner * rng.uniform(0.2, 0.8, 3)
    side = rng.integers(len(grid.shape))
    start[side] = rng.choice([0.0, corner[side]])
    root = grid.anatomy(start)
    aim = grid.anatomy(corner * rng.uniform(0.35, 0.65, 3))
    waiting = [_Branch(root, _unit(aim - root), high * rng.uniform(0.75, 1.0), 0)]
    capsules: list[Array] = []
    while waiting and len(capsules) < _MOST_CAPSULES:
        branch = waiting.pop()
        grown, end = _grow(grid, rng, branch, low, corner)
        capsules += grown
        if end is not None and end.depth <= _MOST_FORKS and end.radius > low:
            waiting += _fork(grid, rng, end, low)
    return np.array(capsules).reshape(-1, 7)


def _grow(
    grid: Grid, rng: np.random.Generator, branch: _Branch, low: float, corner: Array
) -> tuple[list[Array], _Branch | None]:
    """The capsules of one branch, and its tip where it is still in the grid."""
    capsules: list[Array] = []
    position, direction, radius = branch.start, branch.direction, branch.radius
    size = float(np.mean(grid.shape)) * grid.voxel_mm
    for _ in range(max(4, int(size * rng.uniform(0.12, 0.3) / max(radius, grid.voxel_mm)))):
        direction = _in_plane(grid, _unit(direction + 0.22 * rng.normal(size=3)))
        end = position + direction * max(radius, grid.voxel_mm)
        radius = max(radius * _TAPER, low)
        capsules.append(np.concatenate([position, end, [radius]]))
        position = end
        if not _near(grid, position, corner):
            return capsules, None
    return capsules, _Branch(position, direction, radius, branch.depth + 1)


def _fork(grid: Grid, rng: np.random.Generator, tip: _Branch, low: float) -> list[_Branch]:
    """Two daughters whose radii obey Murray's law, r³ = r1³ + r2³; the thinner one turns away more."""
    share = rng.uniform(0.3, 0.5)
    sideways = _unit(np.cross(tip.direction, rng.normal(size=3)))
    if len(grid.shape) == 2:
        sideways = np.cross(_normal(grid), tip.direction) * rng.choice([-1.0, 1.0])
    daughters = []
    for sign, part in ((1.0, share), (-1.0, 1 - share)):
        turned = _unit(tip.direction + sign * sideways * (1.3 - part) * rng.uniform(0.6, 1.2))
        radius = max(tip.radius * float(np.cbrt(part)), low)
        daughters.append(_Branch(tip.start, turned, radius, tip.depth))
    return daughters


def _unit(vector: Array) -> Array:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def _normal(grid: Grid) -> Array:
    return _unit(np.cross(grid.linear[:, 0], grid.linear[:, 1]))


def _in_plane(grid: Grid, direction: Array) -> Array:
    """The direction itself in 3-D, its projection into the plane in 2-D."""
    if len(grid.shape) == 3:
        return direction
    normal = _normal(grid)
    return _unit(direction - normal * float(direction @ normal))


def _near(grid: Grid, position: Array, corner: Array) -> bool:
    """Whether a point is in the grid, give or take three voxels."""
    index = np.linalg.solve(grid.linear / grid.scale, position - np.asarray(grid.center)) + grid.middle
    return bool(np.all(index >= -3) and np.all(index <= corner + 3))


def _distance_to_wall(grid: Grid, capsules: Array) -> Floats:
    """Signed distance (mm) to the nearest vessel wall, negative inside, capped two voxels away."""
    shape = grid.shape + (1,) * (3 - len(grid.shape))
    reach = 2 * float(np.max(np.linalg.norm(grid.linear, axis=0)))
    wall = np.full(shape, reach, dtype=np.float32)
    inverse = np.linalg.inv(grid.linear / grid.scale)
    per_mm = np.linalg.norm(inverse, axis=1)
    points = grid.points().reshape(3, *shape)
    for x0, x1, r in ((c[:3], c[3:6], c[6]) for c in capsules):
        ends = np.stack([inverse @ (x - np.asarray(grid.center)) + grid.middle for x in (x0, x1)])
        first = np.floor(ends.min(axis=0) - (r + reach) * per_mm).astype(int)
        last = np.ceil(ends.max(axis=0) + (r + reach) * per_mm).astype(int) + 1
        box = tuple(slice(max(low, 0), max(high, 0)) for low, high in zip(first, last, strict=True))
        near = wall[box]
        if near.size:
            np.minimum(near, _to_segment(points[(slice(None), *box)], x0, x1) - np.float32(r), out=near)
    return wall.reshape(grid.shape)


def _to_segment(points: Floats, start: Array, end: Array) -> Floats:
    """Distance of points (3, ...) to the segment between two points."""
    column = (3,) + (1,) * (points.ndim - 1)
    offset = points - start.astype(np.float32).reshape(column)
    axis = (end - start).astype(np.float32)
    along = np.clip(np.tensordot(axis, offset, axes=1) / max(float(axis @ axis), 1e-12), 0, 1)
    rest = offset - along * axis.reshape(column)
    return np.asarray(np.sqrt((rest**2).sum(axis=0)))
