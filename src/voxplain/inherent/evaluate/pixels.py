"""The map as a classifier of voxels, over all cases at once, without a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.lazy import Lazy
from voxplain.inherent.maps import Bools, Floats
from voxplain.inherent.ranks import equal_steps, ordered_bits

_MIN_BITS, _MAX_BITS = 8, 24
MANY, _MANY_BITS = 2**24, 22  # voxels of lesions from which on scores are rounded, and to what
_CELLS = 2**24  # of the histograms of all patients together


def pixel_average_precision(scores: Sequence[Floats], truths: Sequence[Bools]) -> float:
    """PxAP (Choe et al., CVPR 2020): ``Σ_n (R_n − R_{n−1}) P_n`` over the distinct scores of all voxels, falling.

    Equal to scikit-learn's ``average_precision_score`` of all voxels in one row. A constant map has the lesions' share
    of all voxels. It needs the truth by construction, and is therefore no mask's quality but a map's.

    Args:
        scores: N arrays (*S).
        truths: N arrays (*S); cases without a lesion count as they are, all outside.

    Returns:
        in [0, 1]; NaN where no voxel is inside.

    Raises:
        InputError: shapes that do not fit.
    """
    parts, held = [], 0
    for s, t in zip(scores, truths, strict=True):
        _check(s, t)
        parts.append(s[t])
        held += len(parts[-1])
        if held > MANY:
            return _rounded(scores, truths)
    values, counts = np.unique(np.concatenate(parts), return_counts=True)
    if not len(values):
        return float("nan")
    reached = np.zeros(len(values) + 1, np.int64)  # outside, by how many values each voxel reaches
    for s, t in zip(scores, truths, strict=True):
        place, often = np.unique(np.searchsorted(values, s[~t], side="right"), return_counts=True)
        reached[place] += often
    hits, others = (np.cumsum(n[::-1])[::-1] for n in (counts, reached[1:]))
    return float((counts * (hits / (hits + others))).sum() / hits[0])


def _rounded(scores: Sequence[Floats], truths: Sequence[Bools]) -> float:
    histogram = PixelHistogram(_MANY_BITS)
    for s, t in zip(scores, truths, strict=True):
        histogram.add(s, t)
    return histogram.average_precision()


@dataclass(eq=False)
class PixelHistogram:
    """PxAP of any number of voxels in memory that does not grow: add cases, then ask.

    A float32's sign, exponent and leading fraction bits, read as a whole number, have the order of the floats. Scores are
    told apart by the first ``bits`` of it: 20 bits resolve a relative difference of 2⁻¹¹ at every magnitude, without
    knowing the range beforehand, in 16 MiB. The value is exactly PxAP of scores that are rounded so; it and the exact one
    lie between `bounds`.

    Args:
        bits: 8 … 24; 24 takes 256 MiB.
    """

    bits: int = 20
    inside: NDArray[np.int64] = field(init=False, repr=False)
    outside: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not _MIN_BITS <= self.bits <= _MAX_BITS:
            raise InputError(f"bits: found {self.bits}, expected {_MIN_BITS} … {_MAX_BITS}")
        self.inside = np.zeros(1 << self.bits, dtype=np.int64)
        self.outside = np.zeros(1 << self.bits, dtype=np.int64)

    def add(self, score: Floats, truth: Bools) -> None:
        """Count one case's voxels, (*S) both."""
        _check(score, truth)
        bins = ordered_bits(score) >> np.uint32(32 - self.bits)
        for counts, where in ((self.inside, truth), (self.outside, ~truth)):
            found, often = np.unique(bins[where], return_counts=True)
            counts[found] += often

    def merge(self, other: PixelHistogram) -> None:
        """Count what another one has counted, such as of another part of the data."""
        if other.bits != self.bits:
            raise InputError(f"bits: found {other.bits}, expected {self.bits}")
        self.inside += other.inside
        self.outside += other.outside

    def average_precision(self) -> float:
        """In [0, 1]; NaN where no voxel is inside."""
        inside, outside = self._filled()
        return float(average_precision(inside[None], outside[None])[0]) if len(inside) else float("nan")

    def bounds(self) -> tuple[float, float]:
        """Between what and what PxAP lies, whatever the scores within the bins.

        At most, all inside of a bin tie above its outside. At least, they lie below it and no two tie: the j-th of c has a
        precision of ``(h + j) / (h + j + m)``, with h inside above the bin and m outside down to it. That is concave in j,
        so that the mean of the first and the last is no more than the mean of all.
        """
        inside, outside = self._filled()
        if not inside.any():
            return float("nan"), float("nan")
        from_here = np.cumsum(outside[::-1], dtype=np.float64)[::-1]
        above = np.cumsum(inside[::-1], dtype=np.float64)[::-1] - inside
        first, last = ((above + j) / (above + j + from_here) for j in (1, np.maximum(inside, 1)))
        most = (above + inside) / np.maximum(above + inside + from_here - outside, 1)
        low, high = (float((inside * p).sum() / inside.sum()) for p in ((first + last) / 2, most))
        return low, high

    def _filled(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Counts of bins that have any voxel."""
        some = (self.inside > 0) | (self.outside > 0)
        return self.inside[some], self.outside[some]


def average_precision(inside: NDArray[np.number], outside: NDArray[np.number]) -> NDArray[np.float64]:
    """Of several histograms at once.

    Args:
        inside, outside: (B, M) counts per value, the values ascending.

    Returns:
        (B,); NaN where nothing is inside.
    """
    hits = np.cumsum(inside[:, ::-1], axis=1, dtype=np.float64)[:, ::-1]
    others = np.cumsum(outside[:, ::-1], axis=1, dtype=np.float64)[:, ::-1]
    total = hits[:, 0]
    precision = hits / np.maximum(hits + others, 1e-300)
    return np.asarray((inside * precision).sum(axis=1) / np.where(total > 0, total, np.nan))


def rank_histograms(
    scores: Sequence[Floats], truths: Sequence[Bools], bins: int = 2048, rows: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts inside and outside between scores of lesions: what a bootstrap can add up again.

    The edges are the distinct scores inside, or ``bins`` of them at equal steps of rank. With all of them PxAP of the counts
    is exact. What scores less than all that is inside never counts, and is left out.

    Args:
        scores, truths: N arrays (*S).
        bins: how many edges, at most; fewer of more than 8,192 rows.
        rows: (N,) which of R rows each case is counted in, such as its patient; by default one of its own.

    Returns:
        (R, M) each.
    """
    rows = np.arange(len(scores)) if rows is None else rows
    count = int(rows.max()) + 1
    edges = _edges(scores, truths, min(bins, most_bins(count)))
    inside, outside = (np.zeros((count, len(edges)), dtype=np.int64) for _ in range(2))
    for row, score, truth in zip(rows, scores, truths, strict=True):
        place = np.searchsorted(edges, score, side="right")
        for counts, where in ((inside, truth), (outside, ~truth)):
            counts[row] += np.bincount(place[where], minlength=len(edges) + 1)[1:]
    return inside, outside


def _edges(scores: Sequence[Floats], truths: Sequence[Bools], bins: int) -> Floats:
    """Distinct scores inside where they are few, else some at equal steps of rank."""
    distinct = np.zeros(0, np.float32)
    for score, truth in zip(scores, truths, strict=True):
        distinct = np.union1d(distinct, score[truth])
        if len(distinct) > bins:
            inside = Lazy(lambda i: scores[i][truths[i]], range(len(scores)))
            return equal_steps(inside, bins)
    return distinct


def most_bins(rows: int) -> int:
    """How many steps of rank fit, for so many rows.

    >>> most_bins(100), most_bins(20_000)
    (2048, 838)
    """
    return min(2048, max(_CELLS // rows, 2))


def _check(score: Floats, truth: Bools) -> None:
    if score.shape != truth.shape:
        raise InputError(f"score: found shape {score.shape}, expected the truth's {truth.shape}")
    if not (score < np.inf).all():
        raise InputError(
            "score: found NaN or infinity, expected finite numbers, or −∞ where nothing is known"
        )
