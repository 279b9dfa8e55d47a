"""The bootstrap: what a metric might have said at other draws of its own (Efron, 1979)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 400
LEAST = 3  # draws; fewer leave nothing to resample
Statistic = Callable[[NDArray[np.intp]], NDArray[np.float64]]


def replicates(count: int, statistic: Statistic, *, seed: int) -> NDArray[np.float64] | None:
    """A statistic at draws that are drawn again, with replacement.

    The same seed and count draw the same, so that the replicates of two maps belong together pair by pair.

    Args:
        count: number of draws.
        statistic: of draws with the indices (resamples, count) -> (resamples,).

    Returns:
        (resamples,), or None for fewer than three draws.

    >>> x = np.array([1.0, 2.0, 3.0, 4.0])
    >>> again = replicates(4, lambda i: x[i].mean(-1), seed=0)
    >>> again.shape, 2 < float(again.mean()) < 3
    ((400,), True)
    """
    if count < LEAST:
        return None
    indices = np.random.default_rng([seed, 0xB007]).integers(count, size=(RESAMPLES, count))
    return np.asarray(statistic(indices), dtype=np.float64)
