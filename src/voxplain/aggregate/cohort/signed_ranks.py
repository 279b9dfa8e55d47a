"""Whether values over cases tend to be above zero: Wilcoxon's signed ranks, for many entries."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import NDArray

from voxplain.aggregate.cohort.matrix import Numbers

EXACT = 60  # values up to which the distribution is counted out; a normal for more


def above_zero(values: Numbers) -> tuple[Numbers, NDArray[np.int64]]:
    """One-sided p of every column, exact with ties; zeros are left out, as Wilcoxon (1945) did.

    Infinite values (the logarithm of nothing) are the largest, which is all that ranks ask.

    Args:
        values: (cases, E), NaN for what is not there.

    Returns:
        p, n: (E,); p is NaN where no value is there, 1 where all are 0; n are values other than 0.

    >>> above_zero(np.array([[1.0], [2.0], [3.0], [-4.0]]))[0]  # 1 + 2 + 3 or more: 7 of 2⁴ choices of signs
    array([0.4375])
    """
    p = np.where(np.isnan(values).all(0), np.nan, 1.0)
    counts = (~np.isnan(values) & (values != 0)).sum(0)
    nulls: dict[bytes, Numbers] = {}
    for e in np.flatnonzero(counts > 0).tolist():
        given = values[:, e]
        steps = given[~np.isnan(given) & (given != 0)]
        doubled = np.round(2 * scipy.stats.rankdata(np.abs(steps))).astype(
            np.int64
        )  # middle ranks of ties are halves
        found = int(doubled[steps > 0].sum())
        if len(steps) > EXACT:
            spread = np.sqrt(float((doubled.astype(np.float64) ** 2).sum())) / 2
            p[e] = scipy.stats.norm.sf((found - 1 - doubled.sum() / 2) / spread)
            continue
        key = np.sort(doubled).tobytes()
        if key not in nulls:
            nulls[key] = _beyond(np.sort(doubled))
        p[e] = nulls[key][found]
    return p, counts


def _beyond(doubled: NDArray[np.int64]) -> Numbers:
    """P of a sum of at least s, for s = 0, 1, …: every choice of signs is equally likely."""
    chance = np.zeros(int(doubled.sum()) + 1)
    chance[0] = 1.0
    for rank in doubled.tolist():
        moved = 0.5 * chance
        chance = moved.copy()
        chance[rank:] += moved[: len(moved) - rank]
    return np.asarray(np.minimum(np.cumsum(chance[::-1])[::-1], 1.0))
