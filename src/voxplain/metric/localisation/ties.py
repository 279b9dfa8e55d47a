"""The largest voxels of a map whose values may tie."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def membership(values: Floats, count: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_], float]:
    """Which voxels are among the ``count`` largest: surely, perhaps (tied with the last), and how probably then.

    >>> surely, perhaps, chance = membership(np.array([3.0, 1.0, 1.0, 0.0]), 2)
    >>> surely.tolist(), perhaps.tolist(), chance
    ([True, False, False, False], [False, True, True, False], 0.5)
    """
    flat = values.ravel()
    last = np.partition(flat, flat.size - count)[flat.size - count]
    surely, perhaps = values > last, values == last
    return surely, perhaps, (count - int(surely.sum())) / int(perhaps.sum())


def hits(values: Floats, inside: NDArray[np.bool_], count: int) -> float:
    """How many of the ``count`` largest voxels are inside, on average over random orders of tied ones."""
    surely, perhaps, chance = membership(values, count)
    return float((surely & inside).sum() + chance * (perhaps & inside).sum())
