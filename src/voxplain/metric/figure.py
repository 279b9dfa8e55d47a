"""What a metric says of one map for one target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NAN = float("nan")


@dataclass(frozen=True, eq=False)
class Figure:
    """A value with what its own draws leave open.

    Attributes:
        value: NaN where the metric has nothing to say; ``note`` tells why.
        replicates: (resamples,) the value at other draws (see `voxplain.metric.interval`); empty where it has no draws.
            Those of two maps under the same metric belong together pair by pair.
        note: one line for people.
        curve: what the value was read from, such as the scores of a deletion curve, for figures.
    """

    value: float
    replicates: NDArray[np.float64] | None = None
    note: str = ""
    curve: tuple[float, ...] = ()

    @property
    def interval(self) -> tuple[float, float]:
        """The middle 95 % of the replicates; NaN where there are none."""
        return middle(self.replicates) if self.replicates is not None else (NAN, NAN)

    def beats(self, other: Figure, *, higher: bool) -> bool:
        """Whether it is better than another figure, by more than the draws that both share could explain."""
        sign = 1.0 if higher else -1.0
        if self.replicates is None or other.replicates is None:
            return sign * (self.value - other.value) > 0
        low, _ = middle(sign * (self.replicates - other.replicates))
        return low > 0


def middle(values: NDArray[np.float64], share: float = 0.95) -> tuple[float, float]:
    """Ends of the middle share of finite values; NaN where there are none.

    >>> [round(end, 6) for end in middle(np.arange(41.0))]
    [1.0, 39.0]
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return NAN, NAN
    low, high = np.quantile(finite, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
