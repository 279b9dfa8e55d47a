"""How far shares are from adding up to what they share."""

from __future__ import annotations


def relative_gap(total: float, difference: float) -> float:
    """|Σ shares − difference| relative to the difference that they should sum to.

    >>> relative_gap(1.5, 2.0)
    0.25
    >>> relative_gap(0.0, 0.0)
    0.0
    >>> relative_gap(0.5, 0.0)
    inf
    """
    error = abs(total - difference)
    return error / abs(difference) if difference else (0.0 if error == 0 else float("inf"))
