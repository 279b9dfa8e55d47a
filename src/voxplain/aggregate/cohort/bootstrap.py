"""What another cohort might have shown: cases drawn again, with replacement (Efron, 1979)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy
from numpy.typing import NDArray

from voxplain.aggregate.cohort.matrix import Numbers

LEAST = 3  # cases; fewer leave nothing to resample


def redrawn(cells: Sequence[NDArray[np.intp]], count: int, cases: int, *, seed: int) -> Numbers:
    """How often each case is drawn, (count, cases); cells of cases are drawn again each by itself."""
    rng = np.random.default_rng([seed, 0xB007])
    weights = np.zeros((count, cases))
    for cell in cells:
        if len(cell):
            weights[:, cell] = rng.multinomial(len(cell), np.full(len(cell), 1 / len(cell)), size=count)
    return weights


def interval(replicates: Numbers, counts: NDArray[np.int64], level: float) -> tuple[Numbers, Numbers]:
    """Percentile intervals, widened for few cases (Hesterberg, 2015): a mean's percentiles are narrow by √((n − 1) / n), and
    by what Student's t is wider than the normal.

    Args:
        replicates: (count, E), NaN where a draw has nothing.
        counts: (E,) cases that each entry has.

    Returns:
        low, high: (E,) NaN for fewer than three cases.
    """
    low, high = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    for n in np.unique(counts[counts >= LEAST]).tolist():
        tail = float(scipy.stats.norm.cdf(np.sqrt(n / (n - 1)) * scipy.stats.t.ppf((1 - level) / 2, n - 1)))
        entries = np.flatnonzero(counts == n)
        low[entries], high[entries] = np.nanquantile(replicates[:, entries], [tail, 1 - tail], axis=0)
    return low, high
