"""Each entry over the cohort: middle, interval, spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort.bootstrap import interval, redrawn
from voxplain.aggregate.cohort.matrix import Matrix, Numbers, need_finite
from voxplain.aggregate.cohort.robust import quartiles
from voxplain.aggregate.cohort.told import Told
from voxplain.errors import InputError

CHUNK = 2048  # entries whose replicates are held at once


@dataclass(frozen=True, eq=False)
class Summary(Told):
    """Of a matrix's entries over the cases that have a figure; all arrays are (targets, regions), NaN where none has.

    Attributes:
        n: cases with a figure.
        low, high: bootstrap interval of the mean of cases like these; NaN for fewer than three.
        spread: standard deviation between cases; NaN for one.
        between: the part of it that is no error of measurement, √(spread² − mean error²), 0 where errors explain all; NaN
            where no case has an error.
        variation: spread / |mean|.
    """

    statistic: str
    targets: tuple[str, ...]
    regions: tuple[str, ...]
    level: float
    n: NDArray[np.int64]
    mean: Numbers
    low: Numbers
    high: Numbers
    median: Numbers
    q1: Numbers
    q3: Numbers
    spread: Numbers
    between: Numbers
    variation: Numbers


def summarise(matrix: Matrix, *, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Summary:
    """Summarise every entry.

    Args:
        level: of the interval.
        resamples: draws of the bootstrap; all entries share them.

    Raises:
        InputError: infinite figures, a level that is none.
    """
    if not 0 < level < 1:
        raise InputError(f"level: found {level}, expected a number between 0 and 1")
    given = need_finite(matrix, "summary").reshape(len(matrix.cases), -1)
    errors = matrix.errors.reshape(given.shape)
    n = (~np.isnan(given)).sum(0)
    mean = _mean(given)
    spread = np.sqrt(np.nansum((given - mean) ** 2, 0) / np.where(n > 1, n - 1, np.nan))
    q1, middle, q3 = quartiles(given)
    low, high = _interval(given, n, level, resamples, seed)
    between = np.sqrt(np.maximum(spread**2 - _mean(errors**2), 0.0))
    variation = spread / np.where(mean == 0, np.nan, np.abs(mean))
    shape = (len(matrix.targets), len(matrix.regions))
    arrays = (n, mean, low, high, middle, q1, q3, spread, between, variation)
    return Summary(
        matrix.statistic, matrix.targets, matrix.regions, level, *(np.reshape(a, shape) for a in arrays)
    )


def _mean(values: Numbers) -> Numbers:
    n = (~np.isnan(values)).sum(0)
    return np.asarray(np.nansum(values, 0) / np.where(n > 0, n, np.nan))


def _interval(
    values: Numbers, n: NDArray[np.int64], level: float, resamples: int, seed: int
) -> tuple[Numbers, Numbers]:
    """Of each entry's mean; a draw of cases is the same for all entries."""
    weights = redrawn([np.arange(len(values))], resamples, len(values), seed=seed)
    low, high = np.full(len(n), np.nan), np.full(len(n), np.nan)
    for start in range(0, len(n), CHUNK):
        part = slice(start, start + CHUNK)
        there = ~np.isnan(values[:, part])
        drawn = weights @ there
        means = weights @ np.where(there, values[:, part], 0.0) / np.where(drawn > 0, drawn, np.nan)
        low[part], high[part] = interval(means, n[part], level)
    return low, high
