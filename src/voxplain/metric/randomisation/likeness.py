"""How alike two maps are, and how complex one is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray
from skimage.metrics import structural_similarity
from torch import Tensor

Map = NDArray[np.float64]
BINS = 100
LARGEST_WINDOW = 7  # voxels, as in skimage


@dataclass(frozen=True)
class Likeness:
    """Of a map after some weights were redrawn.

    Attributes:
        rank: Spearman correlation with the map before.
        absolute: the same of the absolute values.
        ssim: structural similarity of the absolute values, each over its own largest.
        before, after: histogram entropy of the two maps.
    """

    rank: float
    absolute: float
    ssim: float
    before: float
    after: float


def likeness(before: Tensor, after: Tensor, seen: Tensor | None = None) -> Likeness:
    """Compare two maps (C, *spatial); NaN where a number is not defined (see each function).

    Args:
        seen: (*spatial) voxels that the target depends on; all where it is not given.
    """
    a, b = before.double().numpy(), after.double().numpy()
    where = None if seen is None else seen.numpy()
    return Likeness(
        spearman(a, b, where),
        spearman(np.abs(a), np.abs(b), where),
        ssim(np.abs(a), np.abs(b)),
        entropy(a),
        entropy(b),
    )


def spearman(a: Map, b: Map, seen: NDArray[np.bool_] | None = None) -> float:
    """Rank correlation of maps (C, *spatial) over the voxels that the target sees; ties share their mean rank.

    Voxels count where ``seen`` (*spatial) is true and where either map is not zero. The zeros outside, as outside the
    region's receptive field, would agree whatever the weights are. The zeros within must count: over the voxels where
    either map is not zero, independent maps of which much is zero would correlate negatively.
    NaN where there are fewer than three such voxels, or where a map is constant over them.
    """
    there = np.full(a.shape, True) if seen is None else seen | (a != 0) | (b != 0)
    x, y = scipy.stats.rankdata(a[there]), scipy.stats.rankdata(b[there])
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip((x @ y) / np.sqrt((x @ x) * (y @ y)), -1, 1))


def ssim(a: Map, b: Map) -> float:
    """Structural similarity (Wang et al. 2004) of two maps (C, *spatial) ≥ 0, each divided by its largest value.

    The window is seven voxels along every axis, fewer for images that are smaller; the mean over channels. NaN for a
    map of zeros, and where an axis has fewer than three voxels.
    """
    window = min(LARGEST_WINDOW, *a.shape[1:])
    window -= 1 - window % 2
    if window < 3 or not (a.max() > 0 and b.max() > 0):
        return float("nan")
    a, b = a / a.max(), b / b.max()
    return float(structural_similarity(a, b, win_size=window, data_range=1.0, channel_axis=0))


def entropy(a: Map) -> float:
    """Entropy, in nats, of the histogram of a map's values in 100 bins of equal width over its range."""
    counts, _ = np.histogram(a, bins=BINS)
    return float(scipy.stats.entropy(counts))
