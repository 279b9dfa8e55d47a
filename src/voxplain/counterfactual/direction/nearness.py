"""How much queries count by their distance, so that about as many count as a linear model needs."""

from __future__ import annotations

import numpy as np

from voxplain.counterfactual.direction.least_squares import Doubles
from voxplain.errors import InputError

SHARE, PER_COORDINATE = 0.1, 4  # of the queries; queries for each coefficient, where that is more


def nearness(away: Doubles, width: float) -> Doubles:
    """(N,) weights e^(−½ (distance / width)²), the nearest 1.

    Raises:
        InputError: a width of 0 or less.
    """
    if not width > 0:
        raise InputError(f"width: found {width:g}, expected a distance above 0")
    squared = 0.5 * (away / width) ** 2
    return np.asarray(np.exp(squared.min() - squared))  # far from all, weights would all be 0


def effective(weights: Doubles) -> float:
    """(Σw)² / Σw²: how many equal weights tell as much (Kish, Survey Sampling, 1965)."""
    return float(weights.sum() ** 2 / np.square(weights).sum())


def width_for(away: Doubles, coordinates: int) -> float:
    """The width at which a tenth of the queries count, or four per coordinate where that is more; infinite for too few.

    The median distance would not do: in many dimensions all distances are about alike, so that all weights would be, too.

    Args:
        away: (N,) distances.
        coordinates: that a linear model has.
    """
    wanted = max(SHARE * len(away), float(PER_COORDINATE * coordinates))
    low, high = 1e-6, 1e6  # of the largest distance
    largest = float(away.max())
    if not largest > 0 or effective(nearness(away, high * largest)) <= wanted:
        return float("inf")
    for _ in range(60):  # rising in the width
        middle = (low * high) ** 0.5
        enough = effective(nearness(away, middle * largest)) >= wanted
        low, high = (low, middle) if enough else (middle, high)
    return high * largest
