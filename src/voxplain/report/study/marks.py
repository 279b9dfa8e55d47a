"""Whether a method's figures are better than those of maps that know nothing, for one cell of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from voxplain.metric.comparison.compare import t_interval
from voxplain.report.study.page import MetricResult, Null
from voxplain.report.study.words import null_name


@dataclass(frozen=True)
class Mark:
    """A cell that is no better than a null.

    Attributes:
        level: ``alike``: not told from the null; ``worse``: worse than it.
        text: as the cell says it.
    """

    level: Literal["alike", "worse"]
    null: str
    text: str


def mark(result: MetricResult, method: str) -> Mark | None:
    """The null that the method beats least, where it does not beat it; none where it beats all, or nothing is better.

    Over several cases the 95 % interval of the paired difference decides, with one case, or where only a null's mean is
    known, the difference itself.
    """
    if result.better == "neither" or not np.isfinite(result.column(method)).any():
        return None
    gains = [(*_gain(result, method, null), null) for null in result.nulls if null.floor]
    short = [(low, high, null) for low, high, null in gains if not (low > 0 or np.isnan(high))]
    if not short:
        return None
    _, high, null = min(short, key=lambda item: item[1])
    name = null_name(null.name)
    return (
        Mark("worse", null.name, f"worse than {name}") if high < 0 else Mark("alike", null.name, f"≈ {name}")
    )


def _gain(result: MetricResult, method: str, null: Null) -> tuple[float, float]:
    """By how much the method is better than the null, at least and at most; NaN where they cannot be compared."""
    sign = 1.0 if result.better == "higher" else -1.0
    column = result.column(method)
    if len(null.values) != len(column):
        gain = sign * (float(np.nanmean(column)) - null.mean)
        return gain, gain
    gains = sign * (column - np.array(null.values))
    gains = gains[np.isfinite(gains)]
    if len(gains) < 2:
        gain = float(gains[0]) if len(gains) else float("nan")
        return gain, gain
    return t_interval(gains)
