"""How much two groups differ, with an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort.arrangements import Labels
from voxplain.aggregate.cohort.bootstrap import interval, redrawn
from voxplain.aggregate.cohort.matrix import Mask, Numbers
from voxplain.aggregate.cohort.told import Told

CHUNK = 2048


@dataclass(frozen=True, eq=False)
class Difference(Told):
    """Second less first, (targets, regions).

    Attributes:
        difference: of means; over strata their differences weighed by n₁n₂ / (n₁ + n₂), as a regression with one constant
            per stratum would.
        low, high: bootstrap interval, cases drawn within groups and strata; NaN where a group has fewer than three.
        size: Hedges' g, in standard deviations within groups, without the bias of few cases.
    """

    first: str
    second: str
    difference: Numbers
    low: Numbers
    high: Numbers
    size: Numbers


def differences(
    values: Numbers,
    first: Mask,
    second: Mask,
    stratum: Labels,
    names: tuple[str, str],
    shape: tuple[int, int],
    resamples: int,
    level: float,
    seed: int,
) -> Difference:
    """Of two groups of the cases.

    Args:
        values: (cases, E)
        first, second: (cases,) members.
    """
    layers = [stratum == s for s in np.unique(stratum)]
    cells = [np.flatnonzero(g & s) for g in (first, second) for s in layers]
    weights = redrawn(cells, resamples, len(values), seed=seed)
    there = ~np.isnan(values)
    smallest = np.minimum(there[first].sum(0), there[second].sum(0))
    found = _difference(values, np.ones((1, len(values))), first, second, layers)[0]
    low, high = np.full(len(found), np.nan), np.full(len(found), np.nan)
    for start in range(0, len(found), CHUNK):
        part = slice(start, start + CHUNK)
        again = _difference(values[:, part], weights, first, second, layers)
        low[part], high[part] = interval(again, smallest[part], level)
    arrays = (found, low, high, _size(values, found, first, second, layers))
    return Difference(*names, *(np.reshape(a, shape) for a in arrays))


def _difference(
    values: Numbers, weights: Numbers, first: Mask, second: Mask, layers: list[NDArray[np.bool_]]
) -> Numbers:
    """(B, E) under case weights (B, cases)."""
    there = (~np.isnan(values)).astype(np.float64)
    given = np.nan_to_num(values)
    total = np.zeros((len(weights), values.shape[1]))
    weight = np.zeros_like(total)
    for layer in layers:
        sums, counts = [], []
        for group in (first, second):
            of = weights * (group & layer)
            sums.append(of @ given)
            counts.append(of @ there)
        a, b = counts
        both = a * b / np.maximum(a + b, 1)
        total += both * (sums[1] / np.maximum(b, 1) - sums[0] / np.maximum(a, 1))
        weight += both
    return np.asarray(total / np.where(weight > 0, weight, np.nan))


def _size(
    values: Numbers, difference: Numbers, first: Mask, second: Mask, layers: list[NDArray[np.bool_]]
) -> Numbers:
    squares, freedom = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for layer in layers:
        for group in (first, second):
            rows = values[group & layer]
            n = (~np.isnan(rows)).sum(0)
            mean = np.nansum(rows, 0) / np.maximum(n, 1)
            squares += np.nansum((rows - mean) ** 2, 0)
            freedom += np.maximum(n - 1, 0)
    deviation = np.sqrt(squares / np.where(freedom > 0, freedom, np.nan))
    bias = 1 - 3 / (4 * freedom - 1)
    return np.asarray(
        difference / np.where(deviation > 0, deviation, np.nan) * np.where(freedom > 1, bias, np.nan)
    )
