"""Whether paired differences over cases could be chance, exactly for few cases, and Holm's correction of many tests."""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

Alternative = Literal["two-sided", "greater"]
Numbers = NDArray[np.float64]
EXACT_RANKS = 500  # differences up to which the distribution of signed ranks is counted out
EXACT_FLIPS = 16  # differences up to which all choices of signs are
FLIPS = 20_000


def signed_rank(differences: ArrayLike, alternative: Alternative = "two-sided") -> float:
    """P of Wilcoxon's signed-rank test; exact, ties included, for up to 500 differences.

    Differences of zero are left out, as Wilcoxon (1945) did; where all are zero, p is 1. Given the sizes' ranks, every
    choice of signs is equally likely under the null, and the distribution of the sum of positive ranks is counted.

    Args:
        differences: (n,) one per case.
        alternative: ``greater``: they tend to be positive.

    >>> signed_rank([1, 2, 3, 4, 5, 6])  # the extreme of 2⁶ choices of signs, on two sides
    0.03125
    """
    every = _steps(differences)
    steps = every[every != 0]
    if not len(steps):
        return 1.0
    if len(steps) > EXACT_RANKS:
        return float(scipy.stats.wilcoxon(steps, alternative=alternative, method="approx").pvalue)
    doubled = np.round(2 * scipy.stats.rankdata(np.abs(steps))).astype(
        np.int64
    )  # middle ranks of ties are halves
    chance = np.zeros(int(doubled.sum()) + 1)
    chance[0] = 1.0
    for rank in doubled:
        chance[rank:] = 0.5 * (chance[rank:] + chance[: len(chance) - rank])
        chance[:rank] *= 0.5
    found = int(doubled[steps > 0].sum())
    above, below = float(chance[found:].sum()), float(chance[: found + 1].sum())
    return min(above if alternative == "greater" else 2 * min(above, below), 1.0)


def sign_flip(differences: ArrayLike, alternative: Alternative = "two-sided", *, seed: int = 0) -> float:
    """P of the permutation test of the mean difference, under which every sign is equally likely (Fisher, 1935).

    All 2ⁿ choices for up to 16 differences; for more 20 000 random ones, the observed one counted with them.

    >>> sign_flip([1.0, 2.0, 3.0, 4.0, 5.0])
    0.0625
    """
    steps = _steps(differences)
    n = len(steps)
    if not steps.any():
        return 1.0
    if n <= EXACT_FLIPS:
        signs = 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    else:
        signs = np.random.default_rng([seed, 0xF11B]).choice([-1.0, 1.0], size=(FLIPS, n))
        signs[0] = 1.0
    sums, found = signs @ steps, float(steps.sum())
    if alternative == "two-sided":
        sums, found = np.abs(sums), abs(found)
    return float((sums >= found - 1e-9).mean())


def holm(p: ArrayLike) -> Numbers:
    """Holm's step-down adjusted p (1979): the k-th smallest of m times m − k + 1, never less than one before it.

    NaN stand for tests that were not made, and do not count.

    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    given = np.atleast_1d(np.asarray(p, dtype=np.float64))
    out = np.full_like(given, np.nan)
    made = np.flatnonzero(np.isfinite(given))
    order = made[np.argsort(given[made], kind="stable")]
    weights = np.arange(len(order), 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(weights * given[order]), 1.0)
    return out


def _steps(differences: ArrayLike) -> Numbers:
    """Differences relative to the largest, so rounded that equal ones are equal."""
    given = np.asarray(differences, dtype=np.float64)
    given = given[np.isfinite(given)]
    largest = np.abs(given).max(initial=0.0)
    return np.round(given / largest, 12) if largest > 0 else given
