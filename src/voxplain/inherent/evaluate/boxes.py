"""Boxes around what a map marks, against boxes around the truth (Choe et al., CVPR 2020 and TPAMI 2022).

Needs the truth by construction: the threshold is the best of a grid over the very cases that are scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.maps import Bools, Floats

Boxes = NDArray[np.int64]  # (B, D, 2): first and last + 1 per axis
STEPS = np.arange(100) / 100
IOUS: dict[int, tuple[float, ...]] = {1: (0.5,), 2: (0.3, 0.5, 0.7)}


@dataclass(frozen=True, eq=False)
class BoxAccuracy:
    """MaxBoxAcc.

    Attributes:
        value: the best share of cases that are hit; for several IoUs the mean of each one's best.
        thresholds: (M,) of maps scaled to 0 … 1.
        shares: (I, M) share of cases hit per IoU and threshold.
        ious: (I,) from which IoU on a box is a hit.
    """

    value: float
    thresholds: NDArray[np.float64]
    shares: NDArray[np.float64]
    ious: tuple[float, ...]


def max_box_acc(
    scores: Sequence[Floats],
    truths: Sequence[Bools],
    *,
    version: Literal[1, 2] = 2,
    thresholds: NDArray[np.float64] = STEPS,
) -> BoxAccuracy:
    """The best share of cases in which a box around what is marked meets a box around the truth.

    Each map is scaled from its minimum and maximum to 0 … 1, and what lies above a threshold falls into parts that touch by
    face, edge or corner. Version 1 takes the box of the largest part and an IoU of 0.5; version 2 takes the best pair of
    all boxes, and the mean over IoUs of 0.3, 0.5 and 0.7. Boxes of the truth are those of its parts. Cases without a
    lesion are left out. A constant map marks everything at every threshold.

    Args:
        scores, truths: N arrays (*S), 2-D or 3-D.
        thresholds: (M,) in [0, 1).

    Raises:
        InputError: another version, or no case with a lesion.
    """
    if version not in (1, 2):
        raise InputError(f"version: found {version}, expected 1 or 2")
    cases = [(s, t) for s, t in zip(scores, truths, strict=True) if t.any()]
    if not cases:
        raise InputError("truths: found no lesion in any, expected at least one for boxes")
    best = np.array([best_ious(s, t, thresholds, largest=version == 1) for s, t in cases])
    ious = IOUS[version]
    shares = np.stack([(best >= i).mean(axis=0) for i in ious])
    return BoxAccuracy(float(shares.max(axis=1).mean()), thresholds, shares, ious)


def box_iou(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """(A, B) IoU of every pair, in voxels.

    >>> box_iou(np.array([[[0, 2], [0, 2]]]), np.array([[[1, 3], [0, 2]]])).round(3).tolist()
    [[0.333]]
    """
    low = np.maximum(a[:, None, :, 0], b[None, :, :, 0])
    high = np.minimum(a[:, None, :, 1], b[None, :, :, 1])
    shared = np.maximum(high - low, 0).prod(axis=-1)
    sizes_a, sizes_b = (np.diff(x, axis=-1)[..., 0].prod(axis=-1) for x in (a, b))
    return np.asarray(shared / (sizes_a[:, None] + sizes_b[None] - shared))


def boxes_of(mask: Bools, *, largest: bool = False) -> Boxes:
    """(B, D, 2) boxes of the parts of a mask, or (1, D, 2) of the one with most voxels; (0, D, 2) of an empty one."""
    from scipy import ndimage

    labels, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    boxes = np.array(
        [[(s.start, s.stop) for s in found] for found in ndimage.find_objects(labels) if found is not None],
        dtype=np.int64,
    ).reshape(-1, mask.ndim, 2)
    if largest and count:
        return boxes[[np.bincount(labels.ravel())[1:].argmax()]]
    return boxes


def best_ious(
    score: Floats, truth: Bools, thresholds: NDArray[np.float64] = STEPS, *, largest: bool = False
) -> NDArray[np.float64]:
    """(M,) at each threshold, the best IoU of any box of the map (or its largest part's) with any of the truth."""
    seen = np.isfinite(score)
    low, high = float(score[seen].min()), float(score[seen].max())
    scaled = (score.astype(np.float64) - low) / (high - low) if high > low else np.where(seen, 1.0, -np.inf)
    wanted = boxes_of(truth)
    return np.array(
        [box_iou(boxes_of(scaled > t, largest=largest), wanted).max(initial=0.0) for t in thresholds]
    )
