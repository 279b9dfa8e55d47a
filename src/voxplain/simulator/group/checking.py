"""Maps of many subjects as one array, or one clear error."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voxplain.errors import InputError
from voxplain.simulator.group.group_map import Numbers


def stacked(maps: Sequence[ArrayLike], name: str = "maps", least: int = 2) -> Numbers:
    """(subjects, *S) float64.

    Raises:
        InputError: too few subjects, other shapes, NaN or infinity.
    """
    arrays = [np.asarray(m, dtype=np.float64) for m in maps]
    if len(arrays) < least:
        raise InputError(f"{name}: found {len(arrays)} subjects, expected at least {least}")
    for n, (before, after) in enumerate(pairwise(arrays), start=1):
        if before.shape != after.shape:
            raise InputError(
                f"{name}[{n}]: found shape {after.shape}, expected {before.shape}, as the others"
            )
    for n, array in enumerate(arrays):
        if not np.isfinite(array).all():
            raise InputError(f"{name}[{n}]: found NaN or infinity, expected finite numbers")
    return np.stack(arrays)


def inside(mask: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The mask as bool of this shape; all of it by default.

    Raises:
        InputError: another shape, values other than 0 and 1, nothing inside.
    """
    if mask is None:
        return np.ones(shape, dtype=np.bool_)
    given = np.asarray(mask)
    if given.shape != shape:
        raise InputError(f"mask: found shape {given.shape}, expected the maps' {shape}")
    if given.dtype != np.bool_ and not np.isin(given, (0, 1)).all():
        raise InputError(f"mask: found {given.dtype} with values other than 0 and 1, expected bool")
    found = given.astype(np.bool_)
    if not found.any():
        raise InputError("mask: nothing is inside, expected at least one voxel")
    return found
