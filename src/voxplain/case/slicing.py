"""One slice of a volume, for networks that take 2-D images."""

from __future__ import annotations

import re

from voxplain.case.case import Case
from voxplain.case.geometry import Geometry
from voxplain.errors import InputError

AXES = "ijk"


def take_slice(case: Case, axis: int, index: int) -> Case:
    """A slice of a volume where it lies: still 3-D, with one voxel along ``axis``.

    Args:
        axis: 0, 1 or 2, of the file's voxel axes i, j, k.
        index: which slice, from 0.

    Raises:
        InputError: a 2-D case, or no such slice.

    >>> import numpy as np
    >>> volume = Case("v", np.arange(24.0).reshape(1, 2, 3, 4), Geometry(np.diag([1, 1, 5, 1]), (2, 3, 4)))
    >>> one = take_slice(volume, 2, 3)
    >>> one.id, one.spatial_shape, one.geometry.affine[:3, 3].tolist()
    ('v-k3', (2, 3, 1), [0.0, 0.0, 15.0])
    """
    if case.spatial_dims != 3:
        raise InputError(f"slice of case {case.id!r}: it is 2-D already, expected a volume")
    if axis not in (0, 1, 2) or not 0 <= index < case.spatial_shape[axis]:
        raise InputError(
            f"slice of case {case.id!r}: found axis {axis} and index {index}, expected axis 0 to 2 and an index "
            f"below the axis's length in {case.spatial_shape}"
        )
    kept = tuple(slice(index, index + 1) if a == axis else slice(None) for a in range(3))
    geometry = None
    if case.geometry is not None:
        affine = case.geometry.affine.copy()
        affine[:3, 3] += affine[:3, axis] * index
        geometry = Geometry(affine, tuple(1 if a == axis else n for a, n in enumerate(case.spatial_shape)))
    label = None if case.label is None else case.label[kept]
    meta = {**case.meta, "slice": f"{AXES[axis]}={index}"}
    return Case(f"{case.id}-{AXES[axis]}{index}", case.image[(slice(None), *kept)], geometry, label, meta)


def parse_slice(text: str) -> tuple[int, int]:
    """Axis and index of ``k=40``.

    Raises:
        InputError: other text.
    """
    found = re.fullmatch(r"([ijk])=(\d+)", text.strip())
    if found is None:
        raise InputError(f"slice: found {text!r}, expected a voxel axis and an index such as k=40")
    return AXES.index(found[1]), int(found[2])
