"""Lesion by lesion: which are found, and what is marked that is none (Bunch et al., 1977; Chakraborty, 1989)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.maps import Bools
from voxplain.inherent.mask.components import Connectivity, Lesion, lesions

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # false marks per case


@dataclass(frozen=True, eq=False)
class Marks:
    """One case: its lesions and what was marked.

    Attributes:
        found: (L,) per lesion of the truth, the largest confidence of a mark that hits it; −inf where none does.
        false: (F,) confidences of marks that hit no lesion.
        sizes: (L,) voxels of the lesions.
    """

    found: NDArray[np.float64]
    false: NDArray[np.float64]
    sizes: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Froc:
    """Sensitivity against false marks per case, as the confidence that a mark needs falls.

    Attributes:
        thresholds: (M,) confidences, falling; a mark with at least as much counts.
        sensitivity: (M,) share of lesions found.
        false_per_case: (M,) false marks divided by the number of cases, those without lesions included.
        lesions, cases: how many there are.
    """

    thresholds: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    false_per_case: NDArray[np.float64]
    lesions: int
    cases: int

    def at(self, rate: float) -> float:
        """The largest sensitivity with no more than ``rate`` false marks per case; 0 where every mark exceeds it."""
        fits = self.false_per_case <= rate + 1e-12
        return float(self.sensitivity[fits].max(initial=0.0)) if self.lesions else float("nan")

    def mean_sensitivity(self, rates: Sequence[float] = RATES) -> float:
        """The competition performance metric: the mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false marks."""
        return float(np.mean([self.at(r) for r in rates]))


def marks(
    predicted: Sequence[Lesion], truth: Bools, *, overlap: float = 0.0, connectivity: Connectivity = "face"
) -> Marks:
    """Match what was marked with the lesions of the truth.

    A mark hits a lesion where it covers more than ``overlap`` of the lesion's voxels (0: one shared voxel is enough). A
    mark may hit several lesions; a lesion that several marks hit counts once. A mark that hits none, but shares a voxel
    with one, is neither a hit nor false.

    Args:
        predicted: connected parts of the mask, with a confidence.
        truth: (*S).
        overlap: in [0, 1).

    Raises:
        InputError: an overlap outside [0, 1).
    """
    if not 0 <= overlap < 1:
        raise InputError(f"overlap: found {overlap}, expected at least 0 and less than 1")
    wanted = lesions(truth, connectivity=connectivity)
    which = np.zeros(truth.size, dtype=np.int64)
    for i, lesion in enumerate(wanted, start=1):
        which[lesion.where] = i
    sizes = np.array([w.voxels for w in wanted], dtype=np.int64)
    found, false = np.full(len(wanted), -np.inf), []
    for mark in predicted:
        shared = np.bincount(which[mark.where], minlength=len(wanted) + 1)[1:]
        hit = shared > overlap * sizes
        found[hit] = np.maximum(found[hit], mark.score)
        if not shared.any():
            false.append(mark.score)
    return Marks(found, np.array(false, dtype=np.float64), sizes)


class Curves:
    """Curves over the same cases, each counted as often as asked; what does not depend on that is sorted once.

    Args:
        cases: N, those without lesions included.
    """

    def __init__(self, cases: Sequence[Marks]) -> None:
        found = np.concatenate([c.found for c in cases])
        false = np.concatenate([c.false for c in cases])
        self.thresholds = np.unique(np.concatenate([found[found > -np.inf], false]))[::-1]
        self._found = _Reached(found, [len(c.found) for c in cases], self.thresholds)
        self._false = _Reached(false, [len(c.false) for c in cases], self.thresholds)

    def __call__(self, often: NDArray[np.int64]) -> Froc:
        """The curve of cases that count (N,) times."""
        hits, total = self._found(often)
        wrong, _ = self._false(often)
        n = int(often.sum())
        sensitivity = hits / total if total else np.full(len(self.thresholds), np.nan)
        return Froc(self.thresholds, sensitivity, wrong / n if n else wrong, total, n)


def froc(cases: Sequence[Marks], weights: NDArray[np.int64] | None = None) -> Froc:
    """The curve over all cases.

    Args:
        cases: N, those without lesions included.
        weights: (N,) how often each case counts; once where not given.
    """
    return Curves(cases)(np.ones(len(cases), dtype=np.int64) if weights is None else weights)


class _Reached:
    """How many values reach each threshold (M,), and how many there are."""

    def __init__(
        self, values: NDArray[np.float64], counts: Sequence[int], thresholds: NDArray[np.float64]
    ) -> None:
        order = np.argsort(values)
        self._case = np.repeat(np.arange(len(counts)), counts)[order]
        self._place = np.searchsorted(values[order], thresholds, side="left")

    def __call__(self, often: NDArray[np.int64]) -> tuple[NDArray[np.float64], int]:
        sums = np.concatenate([[0], np.cumsum(often[self._case])])
        return (sums[-1] - sums[self._place]).astype(np.float64), int(sums[-1])
