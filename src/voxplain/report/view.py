"""How an array is turned for display: closest anatomical axes, radiological convention, letters.

Internally everything is shown on the axes L, P, I (indices grow towards the patient's Left, Posterior and
Inferior), which is the closest RAS orientation with every axis reversed: a slice of it is then already a
picture in radiological convention, with rows running down and columns running right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from voxplain.errors import GeometryError, InputError

if TYPE_CHECKING:
    from voxplain.case import Geometry

_POSITIVE, _NEGATIVE = "RAS", "LPI"
_NAMES = ("sagittal", "coronal", "axial")
_SECOND_LETTER = 0.26  # sine of 15 degrees: from there on an edge gets a second, lower-case letter


@dataclass(frozen=True)
class Plane:
    """One family of parallel slices: which display axes are the rows and the columns of its pictures."""

    axis: int
    rows: int
    columns: int
    name: str
    letters: tuple[str, str, str, str] | None  # left, right, top, bottom of the picture

    def cut(self, array: NDArray[Any], index: int) -> NDArray[Any]:
        """Slice `index` of a display array (d0, d1, d2, ...) as a picture (rows, columns, ...)."""
        return self.turn(np.take(array, index, axis=self.axis))

    def turn(self, flat: NDArray[Any]) -> NDArray[Any]:
        """A display array without this plane's axis, (a, b, ...), as a picture (rows, columns, ...)."""
        return flat.swapaxes(0, 1) if self.rows > self.columns else flat


@dataclass(frozen=True)
class View:
    """The mapping between an array in its file's voxel order and its display orientation.

    Display axis d is the array's axis `order[d]`, counted backwards where `flips[d]`. A 2-D array has a third
    axis of length one. `affine` maps display indices to RAS mm; None where no orientation is known.
    """

    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    shape: tuple[int, int, int]
    ndim: int
    affine: NDArray[np.float64] | None

    @classmethod
    def of(cls, shape: Sequence[int], geometry: Geometry | None = None) -> View:
        """The view of arrays of this spatial shape (2 or 3 axes).

        Raises:
            InputError: the shape has other than 2 or 3 axes, or an empty one.
            GeometryError: the geometry belongs to another shape.
        """
        full = tuple(int(n) for n in shape)
        if len(full) not in (2, 3) or min(full) < 1:
            raise InputError(f"figure of an array of shape {full}: 2 or 3 non-empty spatial axes are needed")
        if geometry is not None and tuple(geometry.shape) != full:
            raise GeometryError(
                f"figure: geometry of shape {tuple(geometry.shape)}, array of shape {full}; they must agree"
            )
        box = (full[0], full[1], full[2] if len(full) == 3 else 1)
        if geometry is None:
            return cls((0, 1, 2), (False, False, False), box, len(full), None)
        orientations = nib.orientations
        transform = orientations.ornt_transform(
            orientations.io_orientation(geometry.affine), orientations.axcodes2ornt(_NEGATIVE)
        )
        order, flips = [0, 0, 0], [False, False, False]
        for axis, (shown, direction) in enumerate(transform):
            order[int(shown)], flips[int(shown)] = axis, bool(direction < 0)
        affine = np.asarray(geometry.affine, float) @ orientations.inv_ornt_aff(transform, box)
        return cls(
            cast("tuple[int, int, int]", tuple(order)),
            cast("tuple[bool, bool, bool]", tuple(flips)),
            (box[order[0]], box[order[1]], box[order[2]]),
            len(full),
            affine,
        )

    def display(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array (*spatial, ...) in display orientation (d0, d1, d2, ...), without a copy."""
        box = array if self.ndim == 3 else array[:, :, None]
        turned = box.transpose(*self.order, *range(3, box.ndim))
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]

    def shown(self, voxel: Sequence[int]) -> tuple[int, int, int]:
        """The display index of a voxel of the original array.

        Raises:
            InputError: the voxel is outside the array or has the wrong number of indices.
        """
        size = [0, 0, 0]
        for shown, axis in enumerate(self.order):
            size[axis] = self.shape[shown]
        if len(voxel) != self.ndim or not all(0 <= v < n for v, n in zip(voxel, size, strict=False)):
            raise InputError(
                f"voxel {tuple(voxel)} is not in the array of shape {tuple(size[: self.ndim])}; "
                f"{self.ndim} indices from 0 are needed"
            )
        index = [*voxel, 0][:3]
        i, j, k = (
            n - 1 - index[axis] if flip else index[axis]
            for axis, flip, n in zip(self.order, self.flips, self.shape, strict=True)
        )
        return int(i), int(j), int(k)

    def original(self, shown: Sequence[int]) -> tuple[int, ...]:
        """The index in the original array of a display index."""
        index = [0, 0, 0]
        for axis, flip, n, i in zip(self.order, self.flips, self.shape, shown, strict=True):
            index[axis] = int(n - 1 - i if flip else i)
        return tuple(index[: self.ndim])

    def position(self, shown: Sequence[float]) -> tuple[float, float, float] | None:
        """RAS position in mm of a display index; None where no orientation is known."""
        if self.affine is None:
            return None
        x, y, z = self.affine[:3, :3] @ np.asarray(shown, float) + self.affine[:3, 3]
        return float(x), float(y), float(z)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between voxels along the display axes; 1.0 where unknown."""
        if self.affine is None:
            return 1.0, 1.0, 1.0
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def tilt(self) -> float:
        """Largest angle in degrees between a voxel axis and its closest anatomical axis; 0 where unknown."""
        if self.affine is None:
            return 0.0
        cosines = np.abs(np.diag(self.affine[:3, :3])) / np.array(self.spacing)
        return float(np.degrees(np.arccos(np.clip(cosines, 0, 1)).max()))

    @property
    def sheared(self) -> bool:
        """Whether voxel axes are not at right angles, so that no flat picture has the right shape."""
        if self.affine is None:
            return False
        unit = self.affine[:3, :3] / np.array(self.spacing)
        return bool(np.abs(unit.T @ unit - np.eye(3)).max() > 1e-3)

    def planes(self) -> tuple[Plane, ...]:
        """Axial, coronal, sagittal where the orientation is known, else one plane per array axis.

        Without orientation a picture is drawn as the array is stored: the lower axis down, the higher right.
        A 2-D array has one plane.
        """
        if self.affine is None:
            others = {2: (0, 1), 1: (0, 2), 0: (1, 2)}
            planes = [Plane(a, *pair, f"array axis {a}", None) for a, pair in others.items()]
            return tuple(planes[:1] if self.ndim == 2 else planes)
        rows_columns = {2: (1, 0), 1: (2, 0), 0: (2, 1)}
        near = "near-" if self.tilt > 15 else ""
        shown = [self.order.index(2)] if self.ndim == 2 else [2, 1, 0]
        return tuple(
            Plane(a, *rows_columns[a], near + _NAMES[a], self._letters(*rows_columns[a])) for a in shown
        )

    def _letters(self, rows: int, columns: int) -> tuple[str, str, str, str]:
        left, right = self._ends(columns)
        top, bottom = self._ends(rows)
        return left, right, top, bottom

    def _ends(self, axis: int) -> tuple[str, str]:
        """Letters of the low and the high end of a display axis, e.g. ("R", "L"), oblique ("Ra", "Lp")."""
        assert self.affine is not None
        direction = self.affine[:3, axis] / np.linalg.norm(self.affine[:3, axis])
        strongest = np.argsort(-np.abs(direction), kind="stable")
        kept = [int(a) for n, a in enumerate(strongest) if n == 0 or abs(direction[a]) >= _SECOND_LETTER]
        high = "".join(_POSITIVE[a] if direction[a] > 0 else _NEGATIVE[a] for a in kept)
        low = "".join(_NEGATIVE[a] if direction[a] > 0 else _POSITIVE[a] for a in kept)
        return low.capitalize(), high.capitalize()
