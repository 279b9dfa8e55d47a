"""Several random maps as one null: where one more of their kind would lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from voxplain.metric.figure import NAN, Figure

LEVEL = 0.95  # of the one-sided prediction bound


@dataclass(frozen=True, eq=False)
class Several(Figure):
    """The figures of K maps that were drawn alike; the value is their mean.

    One map would be beaten by every second map of its own kind. So another figure must pass the prediction bound
    ``mean ± t · s · √(1 + 1/K)`` (t: the 95 % quantile of Student's distribution with K − 1 degrees of freedom, s: the
    standard deviation of the K), beyond which one more such map lies in a twentieth of all cases where figures are
    about normal (Hahn & Meeker 1991, section 4.7). One map alone has no spread and is compared as it is. Where figures
    have ends, the bound may lie beyond them, so that not even a perfect map could pass it; then it is taken half way
    between the best of the K and the end.

    Attributes:
        singles: those of the K figures that are finite.
        span: least and largest value that a figure can have.
    """

    singles: tuple[Figure, ...] = ()
    span: tuple[float, float] = (-math.inf, math.inf)

    @classmethod
    def of(cls, figures: Sequence[Figure], span: tuple[float, float] = (-math.inf, math.inf)) -> Several:
        """NaN, with the first figure's note, where none of them has a value."""
        known = tuple(f for f in figures if not math.isnan(f.value))
        if not known:
            return cls(NAN, note=figures[0].note if figures else "")
        return cls(float(np.mean([f.value for f in known])), _mean(known), singles=known, span=span)

    def bar(self, *, higher: bool) -> Figure:
        if not self.singles:
            return Figure(NAN)
        sign, end = (1.0, self.span[1]) if higher else (-1.0, -self.span[0])
        again = _stacked(self.singles)
        return Figure(
            sign * float(upper_bound(sign * np.array([f.value for f in self.singles]), end)),
            None if again is None else sign * upper_bound(sign * again, end),
        )


def upper_bound(values: NDArray[np.float64], end: float = math.inf) -> NDArray[np.float64]:
    """Where one more of K values lies below in 95 % of cases: (K, …) -> (…).

    Args:
        end: the largest value that there can be.

    >>> round(float(upper_bound(np.array([1.0, 2.0, 3.0]))), 3)  # 2 + 2.920 · √(4/3)
    5.372
    """
    count = len(values)
    mean = values.mean(0)
    if count == 1:
        return np.asarray(mean)
    reach = float(scipy.stats.t.ppf(LEVEL, count - 1)) * math.sqrt(1 + 1 / count)
    bound = mean + reach * values.std(0, ddof=1)
    if math.isinf(end):
        return np.asarray(bound)
    return np.asarray(np.where(bound < end, bound, (values.max(0) + end) / 2))


def _stacked(figures: Sequence[Figure]) -> NDArray[np.float64] | None:
    rows = [f.replicates for f in figures if f.replicates is not None]
    return np.stack(rows) if len(rows) == len(figures) else None


def _mean(figures: Sequence[Figure]) -> NDArray[np.float64] | None:
    rows = _stacked(figures)
    return None if rows is None else np.asarray(rows.mean(0))
