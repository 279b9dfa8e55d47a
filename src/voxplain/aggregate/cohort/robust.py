"""Location and scale that a few wild values do not move."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import scipy

from voxplain.aggregate.cohort.matrix import Numbers

BEYOND = 1e300  # stands for ∞
QN_CONSISTENT = 1 / (
    np.sqrt(2) * NormalDist().inv_cdf(5 / 8)
)  # 2.2191: makes Qn the standard deviation of a normal
QN_SMALL = {2: 0.399, 3: 0.994, 4: 0.512, 5: 0.844, 6: 0.611, 7: 0.857, 8: 0.669, 9: 0.872}
QN_EFFICIENCY = 0.82  # of Qn at the normal, beside the standard deviation's
QN_MOST = 200  # values; a median of more is precise enough, and pairs would be many


def median(values: Numbers) -> Numbers:
    """(n, E) -> (E,) over what is there; NaN where nothing is."""
    out = np.full(values.shape[1], np.nan)
    some = ~np.isnan(values).all(0)
    out[some] = np.nanmedian(values[:, some], axis=0)
    return out


def quartiles(values: Numbers) -> Numbers:
    """(3, ...) over what is there along the first axis; NaN where nothing is.

    >>> quartiles(np.array([1.0, 2.0, 3.0, np.inf, np.nan])[:, None]).ravel()
    array([1.75, 2.5 ,  inf])
    """
    out = np.full((3, *values.shape[1:]), np.nan)
    some = ~np.isnan(values).all(0)
    bounded = np.where(values == np.inf, BEYOND, values)  # between a number and ∞ there would be no quantile
    found = np.nanquantile(bounded[:, some], [0.25, 0.5, 0.75], axis=0)
    out[:, some] = np.where(found > BEYOND / 1e100, np.inf, found)
    return out


def scale(values: Numbers) -> Numbers:
    """Standard deviations of columns, by Qn (Rousseeuw & Croux, 1993), from more than 200 values by the MAD.

    Qn is the distance that a quarter of all pairs stays below. Half of the values may be wild, and at the normal it is as
    precise as the standard deviation of 82 % of the values, where the MAD is of 37 %; that matters for 20 cases.

    Args:
        values: (n, E), NaN for what is not there.

    Returns:
        (E,) NaN for fewer than two values.

    >>> scale(np.arange(100.0)[:, None]).round(1)  # a uniform of 0 to 99 has 28.9; Qn is made for normals
    array([29.9])
    """
    out = np.full(values.shape[1], np.nan)
    counts = (~np.isnan(values)).sum(0)
    for n in np.unique(counts[counts > 1]).tolist():
        columns = np.flatnonzero(counts == n)
        given = np.sort(values[:, columns], axis=0)[:n]  # NaN are sorted last
        out[columns] = _qn(given) if n <= QN_MOST else scipy.stats.median_abs_deviation(given, scale="normal")
    return out


def _qn(values: Numbers) -> Numbers:
    n = len(values)
    h = n // 2 + 1
    i, j = np.triu_indices(n, 1)
    rank = h * (h - 1) // 2
    small = QN_SMALL.get(n) or (n / (n + 1.4) if n % 2 else n / (n + 3.8))
    parts = np.array_split(
        values, max(values.shape[1] * len(i) // 2_000_000, 1), axis=1
    )  # 16 MB of pairs at once
    found = [np.partition(np.abs(p[j] - p[i]), rank - 1, axis=0)[rank - 1] for p in parts]
    return np.asarray(QN_CONSISTENT * small * np.concatenate(found))
