"""Thresholds worth trying where the best Dice is sought: lesions are small, so their voxels must say which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voxplain.inherent.maps import Bools, Floats


def candidates(scores: Sequence[Floats], truths: Sequence[Bools], count: int = 1024) -> Floats:
    """Thresholds among which is the best one for Dice.

    Dice grows only where a voxel of a lesion comes in: between two of their scores, a lower threshold adds nothing but
    false voxels to every case. So the best masks are those of voxels that score at least as much as some voxel of a lesion,
    and their threshold is the next smaller score that occurs. Where lesions have no more than ``count`` scores, the best of
    all thresholds is among these, however small lesions are beside the image. Where they have more, those at equal steps of
    rank within each lesion's case are taken, every case weighing the same: the best one loses less than ``4 / count``.

    They are values that occur and not steps of a scale, so that masks do not change when all scores are transformed by one
    increasing function.

    Args:
        scores, truths: (*S) of each case; gone through twice.
        count: how many, about.

    Returns:
        (M,) rising; the last one is the largest score of all, which marks nothing.

    >>> candidates([np.float32([0, 1, 5, 3])], [np.array([False, False, True, True])]).tolist()
    [1.0, 3.0, 5.0]
    """
    least = _marked(scores, truths, count)
    below, top = np.full(len(least), -np.inf, dtype=np.float32), np.float32(-np.inf)
    for score in scores:
        values = np.unique(score)
        place = np.searchsorted(values, least)  # how many are smaller
        smaller = np.where(place > 0, values[np.maximum(place - 1, 0)], np.float32(-np.inf))
        below, top = np.maximum(below, smaller), np.maximum(top, values[-1])
    return np.unique(np.append(below[np.isfinite(below)], top)).astype(np.float32)


def _marked(scores: Sequence[Floats], truths: Sequence[Bools], count: int) -> Floats:
    """Scores of lesions' voxels, rising: all, or ``count`` at equal steps of the mean share of each lesion below."""
    values, weights = [], []
    for score, truth in zip(scores, truths, strict=True):
        inside = np.sort(score[truth])
        if not len(inside):
            continue
        kept = inside[_steps(len(inside), count)]
        values.append(kept)
        weights.append(np.full(len(kept), 1 / len(kept)))
    every = np.concatenate(values) if values else np.zeros(0, np.float32)
    distinct = np.unique(every)
    if len(distinct) <= count:
        return distinct
    order = np.argsort(every, kind="stable")
    sums = np.cumsum(np.concatenate(weights)[order])
    wanted = np.linspace(0, sums[-1], count)
    return np.unique(every[order][np.minimum(np.searchsorted(sums, wanted), len(order) - 1)])


def _steps(total: int, count: int) -> NDArray[np.int64]:
    """At most ``count`` of the places 0 … total − 1, the ends among them."""
    return np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(np.int64))
