"""Intervals by the bootstrap: what another set of draws might have said."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Statistic = Callable[[NDArray[np.intp]], float]


def bootstrap(count: int, statistic: Statistic, *, seed: int, resamples: int = 400, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of a statistic over draws (Efron, 1979).

    Args:
        count: number of draws.
        statistic: of the draws with these indices (count,), repeated ones included.
        seed: of the resampling.
        resamples: how often the draws are drawn again.
        level: share of the resamples that lies within.

    Returns:
        The two ends; NaN for fewer than three draws, which leave nothing to resample.

    >>> x = np.array([1.0, 2.0, 3.0, 4.0])
    >>> low, high = bootstrap(4, lambda i: float(x[i].mean()), seed=0)
    >>> low < 2.5 < high
    True
    """
    if count < 3:  # noqa: PLR2004  said above
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    found = np.array([statistic(rng.integers(count, size=count)) for _ in range(resamples)])
    found = found[np.isfinite(found)]
    if not len(found):
        return float("nan"), float("nan")
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
