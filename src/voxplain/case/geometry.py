"""Where voxels lie: an affine to RAS millimetres and a shape, as pure functions on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.errors import GeometryError

Floats = npt.NDArray[np.float64]

# A direction cosine that small is rounding in the header (float32, or six decimals of a DICOM string) and not
# an angle: 1e-4 is 0.006 degrees, 0.05 mm at the end of 500 voxels of 1 mm.
_ANGLE = 1e-4
# Volume spanned by the normalised columns: 1 for orthogonal axes, 0 where they lie in one plane.
_SINGULAR = 1e-6


@dataclass(frozen=True, eq=False)
class Geometry:
    """A voxel grid in space: `affine` maps voxel indices to RAS millimetres, `shape` counts the voxels.

    A 2-D slice has a shape of two axes and keeps the full affine; its third column is the slice's normal.

    Args:
        affine: (4, 4), voxel -> RAS mm; finite, non-singular, with the bottom row 0 0 0 1.
        shape: number of voxels along the 2 or 3 spatial axes.

    Raises:
        GeometryError: the affine or the shape is impossible.

    >>> import numpy as np
    >>> grid = Geometry(np.diag([-2.0, 2.0, 3.0, 1.0]), (10, 20, 30))
    >>> grid.orientation, grid.spacing
    ('LAS', (2.0, 2.0, 3.0))
    """

    affine: Floats
    shape: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "affine", _checked_affine(self.affine))
        object.__setattr__(self, "shape", _checked_shape(self.shape))

    def __eq__(self, other: object) -> bool:
        """Exactly the same grid; see `matches` for a tolerance."""
        if not isinstance(other, Geometry):
            return NotImplemented
        return self.shape == other.shape and np.array_equal(self.affine, other.affine)

    def __hash__(self) -> int:
        return hash((self.shape, self.affine.tobytes()))

    @property
    def ndim(self) -> int:
        """Number of spatial axes, 2 or 3."""
        return len(self.shape)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance of neighbouring voxels along each spatial axis, in mm."""
        return tuple(float(s) for s in _column_lengths(self.affine)[: self.ndim])

    @property
    def orientation(self) -> str:
        """Direction that each spatial axis points to, such as "LAS": the closest anatomical axes."""
        from nibabel.orientations import aff2axcodes

        return "".join(aff2axcodes(self.affine))[: self.ndim]

    @property
    def is_oblique(self) -> bool:
        """Whether any axis is turned away from the anatomical axes."""
        cosines = np.abs(_cosines(self.affine))
        return bool(np.sort(cosines, axis=0)[:2].max() > _ANGLE)

    @property
    def is_sheared(self) -> bool:
        """Whether the axes are not at right angles (a tilted CT gantry, an affine registration)."""
        cosines = _cosines(self.affine)[:, : self.ndim]
        gram = cosines.T @ cosines
        return bool(np.abs(gram - np.diag(np.diag(gram))).max() > _ANGLE)

    @property
    def voxel_volume(self) -> float:
        """Volume of one voxel in mm³ (mm² for a 2-D slice)."""
        axes = self.affine[:3, : self.ndim]
        return float(np.sqrt(np.linalg.det(axes.T @ axes)))

    def to_mm(self, voxels: npt.ArrayLike) -> Floats:
        """Voxel indices (..., D), fractions allowed, to RAS millimetres (..., 3)."""
        indices = np.asarray(voxels, np.float64)
        moved: Floats = indices @ self.affine[:3, : self.ndim].T + self.affine[:3, 3]
        return moved

    def to_voxels(self, mm: npt.ArrayLike) -> Floats:
        """RAS millimetres (..., 3) to fractional voxel indices (..., D); a slice is met along its normal."""
        offsets = np.asarray(mm, np.float64) - self.affine[:3, 3]
        indices: Floats = offsets @ np.linalg.inv(self.affine[:3, :3]).T
        return indices[..., : self.ndim]

    def matches(self, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
        """Whether both grids have the same shape and each corner voxel lies at the same place."""
        return self.shape == other.shape and self.apart_mm(other) <= tolerance_mm

    def difference(self, other: Geometry) -> str:
        """One clause that says what differs, for error messages.

        >>> import numpy as np
        >>> Geometry(np.eye(4), (4, 5, 6)).difference(Geometry(np.eye(4), (4, 5, 7)))
        'the shapes are (4, 5, 6) and (4, 5, 7)'
        """
        if self.shape != other.shape:
            return f"the shapes are {self.shape} and {other.shape}"
        apart = f"corners up to {self.apart_mm(other):.4g} mm apart"
        if self.orientation != other.orientation:
            return f"the orientations are {self.orientation} and {other.orientation} ({apart})"
        if not np.allclose(self.spacing, other.spacing, rtol=1e-4, atol=0):
            return f"the spacings are {_mm(self.spacing)} and {_mm(other.spacing)} ({apart})"
        if np.abs(_cosines(self.affine) - _cosines(other.affine)).max() > _ANGLE:
            return f"the axes point in different directions ({apart})"
        return f"the first voxels lie at {_mm(self.affine[:3, 3])} and {_mm(other.affine[:3, 3])} ({apart})"

    def apart_mm(self, other: Geometry) -> float:
        """Largest distance of equal corner voxels in mm, for equal shapes.

        An axis of one voxel is followed one step further: its direction and thickness count, too.
        """
        corners = np.array(list(product(*[(0, max(n - 1, 1)) for n in self.shape])), np.float64)
        return float(np.linalg.norm(self.to_mm(corners) - other.to_mm(corners), axis=1).max())


def to_canonical(array: npt.NDArray[Any], geometry: Geometry) -> tuple[npt.NDArray[Any], Geometry]:
    """The array with its spatial axes permuted and flipped to the closest RAS, as a view, and its geometry.

    Nothing is resampled: an oblique grid stays oblique. The two axes of a slice are ordered among themselves.

    Args:
        array: (..., *spatial), such as (C, *spatial) or (*spatial).
        geometry: the array's grid.

    Raises:
        GeometryError: the array's last axes are not the geometry's shape.
    """
    world, sign = _world_axes(geometry)
    order = [int(axis) for axis in np.argsort(world)]
    return _reordered(array, geometry, order, [sign[axis] < 0 for axis in order])


def to_axes_of(
    array: npt.NDArray[Any], geometry: Geometry, other: Geometry
) -> tuple[npt.NDArray[Any], Geometry]:
    """The array with its spatial axes permuted and flipped to point as another grid's do, and its geometry.

    Nothing is resampled: this joins files that hold the same voxels in another order.

    Raises:
        GeometryError: the array's last axes are not the geometry's shape, or the numbers of axes differ.
    """
    if geometry.ndim != other.ndim:
        raise GeometryError(f"grids of {geometry.ndim} and {other.ndim} axes cannot be ordered alike")
    world, sign = _world_axes(geometry)
    wanted, wanted_sign = _world_axes(other)
    rank = {int(axis): i for i, axis in enumerate(np.sort(world))}
    wanted_rank = {int(axis): i for i, axis in enumerate(np.sort(wanted))}
    at = {rank[int(axis)]: old for old, axis in enumerate(world)}
    order = [at[wanted_rank[int(axis)]] for axis in wanted]
    flips = [sign[old] != wanted_sign[new] for new, old in enumerate(order)]
    return _reordered(array, geometry, order, flips)


def _world_axes(geometry: Geometry) -> tuple[Floats, Floats]:
    """For each voxel axis, the closest RAS axis (0, 1, 2) and whether it points along it (1) or not (-1)."""
    from nibabel.orientations import io_orientation

    world, sign = io_orientation(geometry.affine)[: geometry.ndim].T
    return world, sign


def _reordered(
    array: npt.NDArray[Any], geometry: Geometry, order: Sequence[int], flips: Sequence[bool]
) -> tuple[npt.NDArray[Any], Geometry]:
    """New spatial axis i is the old axis `order[i]`, reversed where `flips[i]`."""
    ndim = geometry.ndim
    leading = array.ndim - ndim
    if leading < 0 or array.shape[leading:] != geometry.shape:
        raise GeometryError(f"array of shape {array.shape} is not on the grid {geometry.shape}")
    moved = np.transpose(array, [*range(leading), *(leading + axis for axis in order)])
    back = np.eye(4)  # new voxel index -> old voxel index
    back[:ndim, :ndim] = 0
    for new, (old, flipped) in enumerate(zip(order, flips, strict=True)):
        back[old, new] = -1 if flipped else 1
        if flipped:
            back[old, 3] = geometry.shape[old] - 1
            moved = np.flip(moved, leading + new)
    return moved, Geometry(geometry.affine @ back, tuple(geometry.shape[axis] for axis in order))


def _checked_affine(affine: npt.ArrayLike) -> Floats:
    """A read-only float64 copy; raises GeometryError where no grid can be meant."""
    try:
        matrix = np.array(affine, np.float64)
    except (TypeError, ValueError) as error:
        raise GeometryError(f"affine must be a (4, 4) array of numbers, not {affine!r}") from error
    if matrix.shape != (4, 4):
        raise GeometryError(f"affine must have the shape (4, 4), not {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise GeometryError(f"affine must be finite, but is {_rows(matrix)}")
    if not np.allclose(matrix[3], [0, 0, 0, 1], rtol=0, atol=1e-6):
        raise GeometryError(f"affine must end with the row 0 0 0 1, but is {_rows(matrix)}")
    lengths = _column_lengths(matrix)
    if not lengths.all() or abs(np.linalg.det(matrix[:3, :3] / lengths)) < _SINGULAR:
        raise GeometryError(f"affine must not be singular (its axes must span space), but is {_rows(matrix)}")
    matrix[3] = 0, 0, 0, 1
    matrix.setflags(write=False)
    return matrix


def _checked_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    sizes = tuple(int(n) for n in shape)
    if len(sizes) not in (2, 3) or min(sizes) < 1:
        raise GeometryError(f"a grid has 2 or 3 axes of at least one voxel, not the shape {sizes}")
    return sizes


def _column_lengths(affine: Floats) -> Floats:
    lengths: Floats = np.linalg.norm(affine[:3, :3], axis=0)
    return lengths


def _cosines(affine: Floats) -> Floats:
    """Unit vectors of the voxel axes, as columns."""
    cosines: Floats = affine[:3, :3] / _column_lengths(affine)
    return cosines


def _rows(matrix: Floats) -> str:
    """A matrix on one line."""
    return "[" + "; ".join(" ".join(f"{x:.4g}" for x in row) for row in matrix) + "]"


def _mm(values: npt.ArrayLike) -> str:
    return "(" + ", ".join(f"{x:.6g}" for x in np.asarray(values)) + ") mm"
