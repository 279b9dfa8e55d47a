"""What a metric says of one map for one target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAN = float("nan")
# JSON knows no infinity
INFINITE = {"inf": float("inf"), "-inf": float("-inf")}


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

    def bar(self, *, higher: bool) -> Figure:
        """What another figure must pass to beat this one, replicate by replicate."""
        return self

    def beats(self, other: Figure, *, higher: bool) -> bool:
        """Whether it is better than another figure, by more than the draws that both share could explain."""
        sign, bar = (1.0 if higher else -1.0), other.bar(higher=higher)
        if not sign * (self.value - bar.value) > 0:
            return False
        if self.replicates is None or bar.replicates is None:
            return True
        low, _ = middle(sign * (self.replicates - bar.replicates))
        return low > 0

    def plain(self) -> dict[str, Any]:
        """The figure in what JSON knows, exactly; NaN is null.

        >>> Figure(0.1, np.array([1.0, float("nan")])).plain()
        {'value': 0.1, 'replicates': [1.0, None], 'note': '', 'curve': []}
        """
        return {
            "value": _plain(self.value),
            "replicates": None if self.replicates is None else [_plain(v) for v in self.replicates.tolist()],
            "note": self.note,
            "curve": [_plain(v) for v in self.curve],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Figure:
        """The figure that `plain` was made of, bit for bit."""
        again = plain["replicates"]
        return Figure(
            _number(plain["value"]),
            None if again is None else np.array([_number(v) for v in again], dtype=np.float64),
            plain["note"],
            tuple(_number(v) for v in plain["curve"]),
        )


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


def _plain(value: float) -> float | str | None:
    value = float(value)
    if np.isnan(value):
        return None
    return value if np.isfinite(value) else str(value)


def _number(plain: float | str | None) -> float:
    if plain is None:
        return NAN
    return INFINITE[plain] if isinstance(plain, str) else float(plain)
