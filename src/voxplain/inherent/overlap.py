"""How much of a mask and the truth is shared.

Conventions, everywhere: where the truth is empty, Dice and IoU are not defined and NaN (what a method marks
there is counted by the false mask rate instead; a 1 for "rightly empty" would let healthy cases raise the mean). Where
the truth is not empty and the prediction is, they are 0. Nothing is smoothed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.maps import Bools, Floats


def dice(prediction: Bools, truth: Bools) -> float:
    """``2 |P ∩ T| / (|P| + |T|)`` (Dice, 1945), in [0, 1]; NaN where the truth is empty.

    >>> dice(np.array([True, True, False]), np.array([False, True, False]))
    0.6666666666666666
    """
    shared, of_both = _counts(prediction, truth)
    return 2 * shared / of_both if truth.any() else float("nan")


def iou(prediction: Bools, truth: Bools) -> float:
    """``|P ∩ T| / |P ∪ T|`` (Jaccard, 1912), in [0, 1]; NaN where the truth is empty.

    >>> iou(np.array([True, True, False]), np.array([False, True, False]))
    0.5
    """
    shared, of_both = _counts(prediction, truth)
    return shared / (of_both - shared) if truth.any() else float("nan")


def dice_at(score: Floats, truth: Bools, thresholds: NDArray[np.floating]) -> NDArray[np.float64]:
    """Dice of ``score > t`` for many thresholds by two sorts; NaN where the truth is empty.

    Args:
        score: (*S).
        truth: (*S).
        thresholds: (M,), in any order.

    Returns:
        (M,) in [0, 1].
    """
    inside = above(score[truth], thresholds)
    everywhere = above(score, thresholds)
    total = int(truth.sum())
    if total == 0:
        return np.full(len(thresholds), np.nan)
    return np.asarray(2 * inside / (everywhere + total))


def above(score: Floats, thresholds: NDArray[np.floating]) -> NDArray[np.int64]:
    """(M,) how many values lie strictly above each threshold."""
    values = np.sort(score, axis=None)
    return np.asarray(values.size - np.searchsorted(values, thresholds, side="right"), dtype=np.int64)


def _counts(prediction: Bools, truth: Bools) -> tuple[int, int]:
    if prediction.shape != truth.shape:
        raise InputError(f"prediction: found shape {prediction.shape}, expected the truth's {truth.shape}")
    return int(np.logical_and(prediction, truth).sum()), int(prediction.sum()) + int(truth.sum())
