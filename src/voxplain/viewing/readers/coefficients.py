"""How far readers agree beyond chance: ratings (units, readers), NaN where a reader did not rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
SCALE = (1, 2, 3, 4, 5)
TWO = 2


def krippendorff(ratings: Numbers, weights: Numbers | None = None) -> float:
    """Krippendorff's alpha for ordinal ratings: 1 where readers agree, 0 where they agree as chance would.

    Any reader may leave any unit out; a unit that one reader alone has rated tells nothing. The distance of two ratings
    depends on how many ratings lie between them (Krippendorff, 2011, "Computing Krippendorff's alpha-reliability").

    Args:
        ratings: (units, readers).
        weights: (units,) how often each unit counts, for the bootstrap.

    Returns:
        NaN where nobody rated the same unit, or all ratings are the same.

    >>> bool(np.isclose(krippendorff(np.array([[1.0, 1], [2, 2], [3, 3]])), 1))
    True
    """
    known = np.isfinite(ratings)
    count = known.sum(1)
    levels = np.unique(ratings[known])
    times = np.ones(len(ratings)) if weights is None else weights
    # (units, levels): how many readers gave each rating
    given = (
        np.stack([(ratings == level).sum(1) for level in levels], 1).astype(np.float64)
        if len(levels)
        else None
    )
    if given is None or not (count >= TWO).any():
        return float("nan")
    share = np.where(count >= TWO, times / np.maximum(count - 1, 1), 0.0)
    coincidences = np.einsum("uc,uk,u->ck", given, given, share) - np.diag(given.T @ share)
    totals = coincidences.sum(1)
    n = totals.sum()
    distances = _ordinal(totals)
    observed = (coincidences * distances).sum()
    expected = ((np.outer(totals, totals) - np.diag(totals)) * distances).sum() / (n - 1) if n > 1 else 0.0
    return float(1 - observed / expected) if expected > 0 else float("nan")


def _ordinal(totals: Numbers) -> Numbers:
    """(levels, levels) squared distances: all ratings from one level to the other, those at the ends by half."""
    middle = np.cumsum(totals) - totals / 2
    return np.asarray((middle[:, None] - middle) ** 2)


def weighted_kappa(first: Numbers, second: Numbers, weights: Numbers | None = None) -> float:
    """Cohen's kappa of two readers with quadratic weights (Cohen, 1968), over units that both have rated.

    Args:
        first, second: (units,) ratings from 1 to 5.
        weights: (units,) how often each unit counts.

    Returns:
        NaN where no unit has both ratings, or chance alone would agree fully.
    """
    both = np.isfinite(first) & np.isfinite(second)
    times = np.ones(len(first)) if weights is None else weights
    table = np.zeros((len(SCALE), len(SCALE)))
    np.add.at(
        table,
        (first[both].astype(int) - SCALE[0], second[both].astype(int) - SCALE[0]),
        times[both],
    )
    total = table.sum()
    if not total:
        return float("nan")
    distances = np.subtract.outer(np.array(SCALE), np.array(SCALE)) ** 2
    expected = (np.outer(table.sum(1), table.sum(0)) / total * distances).sum()
    return float(1 - (table * distances).sum() / expected) if expected > 0 else float("nan")


def icc(ratings: Numbers, weights: Numbers | None = None) -> float:
    """ICC(2,1): absolute agreement of single ratings by readers who stand for others (Shrout & Fleiss, 1979).

    Only units that all readers have rated count.

    Args:
        ratings: (units, readers).
        weights: (units,) how often each unit counts.

    Returns:
        NaN for fewer than two readers or units, or where all ratings are the same.
    """
    times = np.ones(len(ratings)) if weights is None else weights
    whole = np.isfinite(ratings).all(1) & (times > 0)
    found, times = ratings[whole], times[whole]
    readers, n = ratings.shape[1], times.sum()
    if readers < TWO or n < TWO:
        return float("nan")
    mean = (found.mean(1) * times).sum() / n
    of_units = found.mean(1) - mean
    of_readers = (found * times[:, None]).sum(0) / n - mean
    left = found - mean - of_units[:, None] - of_readers
    units = readers * (times * of_units**2).sum() / (n - 1)
    between = n * (of_readers**2).sum() / (readers - 1)
    error = (times[:, None] * left**2).sum() / ((n - 1) * (readers - 1))
    below = units + (readers - 1) * error + readers * (between - error) / n
    return float((units - error) / below) if below > 0 else float("nan")
