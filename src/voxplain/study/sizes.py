"""Sizes as people write them."""

from __future__ import annotations

from collections.abc import Iterable


def by(numbers: Iterable[float], form: str = "g") -> str:
    """Sizes along the axes.

    >>> by((137, 137, 93)), by((1.75, 1.75, 2.0), ".3g")
    ('137 × 137 × 93', '1.75 × 1.75 × 2')
    """
    return " × ".join(format(n, form) for n in numbers)
