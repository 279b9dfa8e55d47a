"""Intervals over patients: whole patients are drawn again, never their cases (Efron, 1979; Field & Welsh, 2007)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST = 3  # patients; fewer leave nothing to draw again
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """A number and what other patients might have made of it.

    Attributes:
        value: on the cases as they are; NaN where not defined.
        low, high: percentiles of the draws; NaN for fewer than three patients, where no draw defines the number, or
            where all repeat one at its bound (see `unknown_ends`).
    """

    value: float
    low: float
    high: float


def patients(groups: Sequence[str]) -> Counts:
    """(N,) each case's patient as a number, by the order of their names."""
    return np.unique(np.array(groups), return_inverse=True)[1].astype(np.int64)


def redrawn(patient: Counts, draws: int, *, seed: int) -> Iterator[Counts]:
    """(N,) how often each case is in a draw of as many patients, draw by draw; none for fewer than three patients.

    What is drawn depends on the names of the patients alone, not on the order of the cases.
    """
    count = int(patient.max()) + 1
    if count < LEAST:
        return
    rng = np.random.default_rng([seed, 0xB007])
    for _ in range(draws):
        yield rng.multinomial(count, np.full(count, 1 / count))[patient]


def intervals(
    statistics: Callable[[Counts], NDArray[np.float64]],
    groups: Sequence[str],
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> list[Interval]:
    """Percentile intervals of several numbers at once.

    Args:
        statistics: of how often each case counts, (N,), the numbers (M,). It must not depend on the order of the cases.
        groups: (N,) names of the patients.

    Returns:
        M intervals.
    """
    values = statistics(np.ones(len(groups), dtype=np.int64))
    again = [statistics(weights) for weights in redrawn(patients(groups), draws, seed=seed)]
    low, high = quantiles(np.array(again).reshape(len(again), len(values)), level)
    return [Interval(*numbers) for numbers in zip(values.tolist(), low.tolist(), high.tolist(), strict=True)]


def quantiles(again: NDArray[np.float64], level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Low and high ends (M,) of draws (B, M); draws that do not define a number are left out of it.

    Draws are taken as they are, never between two, so that infinite distances are possible ends.
    """
    low, high = np.full(again.shape[1], np.nan), np.full(again.shape[1], np.nan)
    for m in range(again.shape[1]):
        defined = again[~np.isnan(again[:, m]), m]
        if len(defined):
            low[m] = np.quantile(defined, (1 - level) / 2, method="inverted_cdf")
            high[m] = np.quantile(defined, (1 + level) / 2, method="inverted_cdf")
    return low, high


def mended(number: Interval, count: int, level: float, *, rate: bool) -> Interval:
    """An interval where the bootstrap of all patients does not know how few a number is of.

    Of fewer than three patients it is NaN. Of a rate that is 0 or 1 it is exact (Clopper & Pearson, 1934), one trial per
    patient: whatever is drawn again of patients who are all alike is alike, and none of ten would be none of everybody.

    Args:
        count: of patients that the number is of.
        rate: whether it is a share of cases.

    >>> mended(Interval(0.0, 0.0, 0.0), 100, 0.95, rate=True).high.__round__(3)
    0.036
    """
    if count < LEAST:
        return Interval(number.value, float("nan"), float("nan"))
    if not rate or number.value not in (0.0, 1.0):
        return number
    reach = ((1 - level) / 2) ** (1 / count)
    return Interval(number.value, 0.0, 1 - reach) if number.value == 0 else Interval(number.value, reach, 1.0)


def unknown_ends(number: Interval) -> Interval:
    """Without ends where every draw repeats a number at its bound: all right is what a few errors unseen look like, too.

    >>> unknown_ends(Interval(1.0, 1.0, 1.0)), unknown_ends(Interval(0.9, 0.8, 1.0)).low
    (Interval(value=1.0, low=nan, high=nan), 0.8)
    """
    known = number.low < number.high or number.value not in (0.0, 1.0)
    return number if known else Interval(number.value, float("nan"), float("nan"))


def weighted_mean(values: NDArray[np.float64], weights: Counts) -> float:
    """Over the values that are not NaN; NaN where none counts."""
    defined = ~np.isnan(values) & (weights > 0)
    total = weights[defined].sum()
    return float((np.sort(values[defined] * weights[defined])).sum() / total) if total else float("nan")


def weighted_median(values: NDArray[np.float64], weights: Counts) -> float:
    """Over the values that are not NaN, each as often as it counts; the mean of the middle two of an even number."""
    defined = ~np.isnan(values) & (weights > 0)
    if not defined.any():
        return float("nan")
    order = np.argsort(values[defined], kind="stable")
    ordered, ends = values[defined][order], np.cumsum(weights[defined][order])
    lower, upper = ordered[np.searchsorted(ends, [(ends[-1] + 1) // 2, ends[-1] // 2 + 1])]
    return float(lower if lower == upper else (lower + upper) / 2)
