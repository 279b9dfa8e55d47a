"""Colours of values, in few steps; safe for any colour vision, and never grey, which is for what does not count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GREY = "#dfe2e6"
ABSENT = "#f4f5f7"
# lightest first; orange for below and blue for above, as people with any colour vision tell them apart
ABOVE = ("#d3e5f2", "#a9cde6", "#6faed6", "#3a8ac2", "#1a64a3", "#08386b")
BELOW = ("#fbe3c9", "#f8c794", "#ef9f4f", "#d97a1d", "#ab5410", "#6e3406")
STEPS = len(ABOVE)


@dataclass(frozen=True)
class Scale:
    """Equal steps from 0 to ``limit``, and as many below 0 where ``signed``."""

    limit: float
    signed: bool = True

    def steps(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """−6 … −1 and 1 … 6; values beyond the limit take the last one. NaN give 0.

        >>> Scale(3.0).steps(np.array([0.1, 0.5, 2.9, 9.0, -0.6, np.nan])).tolist()
        [1, 1, 6, 6, -2, 0]
        """
        size = np.abs(np.nan_to_num(values)) / self.limit * STEPS
        step = np.clip(np.ceil(size), 1, STEPS).astype(np.int64)
        return np.where(np.isnan(values), 0, np.where(values < 0, -step, step))

    @property
    def all_steps(self) -> list[int]:
        """From the lowest to the highest."""
        up = list(range(1, STEPS + 1))
        return [*(-s for s in reversed(up)), *up] if self.signed else up


def colour(step: int) -> str:
    """Of a step."""
    return ABOVE[step - 1] if step > 0 else BELOW[-step - 1]


def is_dark(step: int) -> bool:
    """Whether white text reads better on it."""
    return abs(step) > 3


def limit_of(values: NDArray[np.float64], least: float) -> float:
    """A round limit that nearly all sizes stay below: 1, 2, 3, 5 or 8 times a power of ten, no smaller than ``least``.

    >>> limit_of(np.array([0.1, 2.2, 2.7]), 0.5), limit_of(np.array([np.nan]), 0.5)
    (3.0, 0.5)
    """
    known = np.abs(values[np.isfinite(values)])
    if not len(known):
        return least
    top = max(float(np.quantile(known, 0.99)), least)
    power = 10.0 ** np.floor(np.log10(top))
    return float(
        next((k * power for k in (1.0, 2.0, 3.0, 5.0, 8.0) if k * power >= top * (1 - 1e-9)), 10 * power)
    )
