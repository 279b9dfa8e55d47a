"""Order of all voxels of many cases, exact, one case at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
FEW = 2**24  # values that are sorted at once (64 MiB); more are counted, in four times through the cases
_BITS = 8


def equal_steps(scores: Sequence[Floats], count: int) -> Floats:
    """Values that occur, at equal steps of rank over all voxels, the smallest and the largest among them; each once.

    Args:
        scores: (*S) each, in any number; gone through several times where they hold more than `FEW` values.
        count: how many, at most.

    >>> equal_steps([np.float32([3, 1]), np.float32([2, 5, 4])], 3).tolist()
    [1.0, 3.0, 5.0]
    """
    total, few = _gathered(scores)
    ranks = np.unique(np.linspace(0, total - 1, min(count, total)).round().astype(np.int64))
    return np.unique(np.sort(few)[ranks] if few is not None else at_ranks(scores, ranks))


def at_ranks(scores: Iterable[Floats], ranks: NDArray[np.int64]) -> Floats:
    """The values at these places of all voxels in rising order, found digit by digit of their `ordered_bits`.

    Args:
        scores: (*S) each; gone through four times.
        ranks: (R,) from 0, rising.
    """
    heads, rest = np.zeros(1, np.uint64), ranks.copy()
    mine = np.zeros(len(ranks), np.int64)  # the row of `heads` that each rank lies in
    for shift in (24, 16, 8, 0):
        before = np.cumsum(_digits(scores, heads, shift))
        starts = np.concatenate([[0], before[(1 << _BITS) - 1 :: 1 << _BITS]])
        wanted = rest + starts[mine]
        place = np.searchsorted(before, wanted, side="right")
        rest = wanted - np.where(place > 0, before[place - 1], 0)
        found = heads[place >> _BITS] << np.uint64(_BITS) | (place & ((1 << _BITS) - 1)).astype(np.uint64)
        heads, mine = np.unique(found, return_inverse=True)
    return from_ordered_bits(heads[mine].astype(np.uint32))


def ordered_bits(score: Floats) -> NDArray[np.uint32]:
    """Whole numbers with the order of the floats; −0 and 0 are one.

    >>> np.diff(ordered_bits(np.array([-2, -1, 0, 1e-3, 7], np.float32)).astype(np.int64)).min() > 0
    np.True_
    """
    bits = (np.asarray(score, dtype=np.float32) + np.float32(0)).view(np.uint32)
    negative = bits >> np.uint32(31) == 1
    return np.where(negative, ~bits, bits | np.uint32(0x80000000))


def from_ordered_bits(bits: NDArray[np.uint32]) -> Floats:
    """The floats again.

    >>> from_ordered_bits(ordered_bits(np.array([-2, 0, 7], np.float32))).tolist()
    [-2.0, 0.0, 7.0]
    """
    positive = bits >> np.uint32(31) == 1
    return np.where(positive, bits & np.uint32(0x7FFFFFFF), ~bits).view(np.float32)


def _gathered(scores: Iterable[Floats]) -> tuple[int, Floats | None]:
    """How many values there are, and all of them where they are few."""
    total, held = 0, []
    for score in scores:
        total += score.size
        if total <= FEW:
            held.append(score.ravel())
        else:
            held.clear()
    return total, np.concatenate(held) if total <= FEW else None


def _digits(scores: Iterable[Floats], heads: NDArray[np.uint64], shift: int) -> NDArray[np.int64]:
    """(heads · 256,) how often each next digit follows each head."""
    counts = np.zeros(len(heads) << _BITS, np.int64)
    for score in scores:
        bits = ordered_bits(score).ravel().astype(np.uint64)
        above = bits >> np.uint64(shift + _BITS)
        row = np.minimum(np.searchsorted(heads, above), len(heads) - 1)
        ours = heads[row] == above
        digit = (bits[ours] >> np.uint64(shift)) & np.uint64((1 << _BITS) - 1)
        counts += np.bincount((row[ours] << _BITS) + digit.astype(np.int64), minlength=len(counts))
    return counts
