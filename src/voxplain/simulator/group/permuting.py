"""Counting permutations in pieces, so that memory stays bounded whatever the number of voxels and permutations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voxplain.simulator.group.group_map import Counted, Numbers

CELLS = 8_000_000  # floats of one piece of permutations × voxels
EQUAL = 1e-9  # sums in another order differ by rounding, and must still count as equal

Statistic = Callable[[Numbers, Numbers], Numbers]
"""Weights of permutations (B, subjects) and values (subjects, V) -> |t| (B, V)."""


def count(values: Numbers, weights: Numbers, statistic: Statistic) -> tuple[Numbers, Numbers, Numbers]:
    """Observed |t|, and how often permutations reach it in a voxel, and anywhere.

    Args:
        values: (subjects, V).
        weights: (B, subjects), the observed arrangement first.

    Returns:
        (V,) each: |t|; the share of permutations whose |t| there is as large; whose largest |t| is.
    """
    voxels, rounds = values.shape[1], len(weights)
    wide = max(1, min(voxels, CELLS // min(rounds, 1000)))
    high = max(1, CELLS // wide)
    observed, reached, largest = np.empty(voxels), np.zeros(voxels), np.zeros(rounds)
    for left in range(0, voxels, wide):
        piece = slice(left, left + wide)
        observed[piece] = statistic(weights[:1], values[:, piece])[0]
        for top in range(0, rounds, high):
            t = statistic(weights[top : top + high], values[:, piece])
            reached[piece] += (t >= observed[piece] * (1 - EQUAL)).sum(0)
            largest[top : top + high] = np.maximum(largest[top : top + high], t.max(1))
    below = np.searchsorted(np.sort(largest), observed * (1 - EQUAL), side="left")
    return observed, reached / rounds, (rounds - below) / rounds


def counted(values: Numbers, weights: Numbers, statistic: Statistic, signs: Numbers) -> Counted:
    """The same with the sign that t has."""
    size, p, p_any = count(values, weights, statistic)
    return Counted(np.copysign(size, signs), p, p_any)
