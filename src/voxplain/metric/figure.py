"""What a metric says of one map for one target."""

from __future__ import annotations

from dataclasses import dataclass

NAN = float("nan")


@dataclass(frozen=True)
class Figure:
    """A value with the interval that its own draws leave open.

    Attributes:
        value: NaN where the metric has nothing to say; ``note`` tells why.
        low, high: ends of the 95 % interval over the metric's draws; NaN where it has no draws.
        note: one line for people.
        curve: what the value was read from, such as the scores of a deletion curve, for figures.
    """

    value: float
    low: float = NAN
    high: float = NAN
    note: str = ""
    curve: tuple[float, ...] = ()
