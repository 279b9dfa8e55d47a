"""Does confidence predict how good a mask is? Reject the least sure cases, and see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.bootstrap import Counts, Interval, intervals
from voxplain.inherent.evaluate.classification import auroc
from voxplain.inherent.evaluate.rows import Row, row

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rejection:
    """Quality of what is kept as the least confident cases are rejected (El-Yaniv & Wiener, 2010).

    Attributes:
        kept: (M,) shares of the cases, falling from 1; one per distinct confidence.
        quality: (M,) mean quality of the kept cases.
        area: mean quality over all shares kept, each case's rejection a step; that of a confidence that knows nothing is
            the mean quality of all cases.
    """

    kept: Doubles
    quality: Doubles
    area: float

    def rows(self) -> list[dict[str, Any]]:
        """A row per point, for a diagram."""
        return [
            {"kept": k, "quality": q} for k, q in zip(self.kept.tolist(), self.quality.tolist(), strict=True)
        ]


def rejection(confidence: Doubles, quality: Doubles, weights: Counts | None = None) -> Rejection:
    """The curve. Cases of equal confidence go together; their area is that of their mean, whatever their order.

    Args:
        confidence: (N,) larger is surer.
        quality: (N,) such as Dice; cases with NaN are left out.
        weights: (N,) how often each case counts; once where not given.

    Raises:
        InputError: lengths that differ, NaN in the confidence, or no quality at all.
    """
    confidence, quality, often = _defined(confidence, quality, weights)
    values, place = np.unique(-confidence, return_inverse=True)  # the surest first
    count = np.bincount(place, often, minlength=len(values))
    total = np.bincount(place, often * quality, minlength=len(values))
    ends, sums = np.cumsum(count), np.cumsum(total)
    # within a tie, cases are kept one by one at the tie's mean quality
    area = 0.0
    for c, t, end, s in zip(count, total, ends, sums, strict=True):
        j = np.arange(1, round(c) + 1)
        area += float(((s - t + j * t / c) / (end - c + j)).sum()) if c else 0.0
    some = count > 0
    return Rejection((ends / ends[-1])[some][::-1], (sums[some] / ends[some])[::-1], area / float(ends[-1]))


def relation(
    confidence: Doubles,
    quality: Doubles,
    groups: Sequence[str],
    ids: Sequence[str],
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> list[Row]:
    """Rank correlation of confidence with Dice (Spearman's ρ), and the gain of rejecting, with intervals over patients.

    "gain of rejection in dice" is the area of the rejection curve less the mean Dice: what knowing the confidence is worth;
    0 where it says nothing. Cases whose Dice is NaN are left out. Correlations are NaN where either does not vary.

    Args:
        confidence, quality: (N,), the quality being Dice.
        groups, ids: (N,) names of patients and of cases.

    Raises:
        InputError: as `rejection`.
    """
    names = ("spearman with dice", "gain of rejection in dice")
    return _related(names, spearman, confidence, quality, groups, ids, (draws, level, seed))


def errors_told(
    confidence: Doubles,
    right: NDArray[np.bool_],
    groups: Sequence[str],
    ids: Sequence[str],
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> list[Row]:
    """The chance that a right decision is surer than a wrong one (AUROC), and what rejecting gains in accuracy.

    Args:
        confidence, right: (N,).
        groups, ids: (N,) names of patients and of cases.

    Returns:
        rows with intervals over patients; AUROC is NaN where all decisions are right, or none is.

    Raises:
        InputError: as `rejection`.
    """

    def area(sure: Doubles, quality: Doubles, weights: Counts) -> float:
        return auroc(sure, quality > 0, weights)

    names = ("auroc of right decisions", "gain of rejection in accuracy")
    return _related(names, area, confidence, right.astype(np.float64), groups, ids, (draws, level, seed))


def _related(
    names: tuple[str, str],
    measure: Callable[[Doubles, Doubles, Counts], float],
    confidence: Doubles,
    quality: Doubles,
    groups: Sequence[str],
    ids: Sequence[str],
    bootstrap: tuple[int, float, int],
) -> list[Row]:
    order = np.argsort(np.array(ids))
    defined = order[~np.isnan(quality[order])]
    confidence, quality, _ = _defined(confidence[defined], quality[defined], None)
    chosen = [groups[i] for i in defined]

    def statistics(weights: Counts) -> Doubles:
        mean = float(np.average(quality, weights=weights))
        return np.array(
            [measure(confidence, quality, weights), rejection(confidence, quality, weights).area - mean]
        )

    draws, level, seed = bootstrap
    found: list[Interval] = intervals(statistics, chosen, draws=draws, level=level, seed=seed)
    about = {"cases": len(defined), "patients": len(set(chosen))}
    return [row("uncertainty", name, number, **about) for name, number in zip(names, found, strict=True)]


def spearman(a: Doubles, b: Doubles, weights: Counts) -> float:
    """Correlation of ranks, ties sharing their mean rank, each case as often as it counts; NaN where either is constant."""
    ranks = [_ranks(x, weights) for x in (a, b)]
    x, y = (r - np.average(r, weights=weights) for r in ranks)
    below = np.sqrt((weights * x * x).sum() * (weights * y * y).sum())
    return float((weights * x * y).sum() / below) if below > 1e-12 else float("nan")


def _ranks(values: Doubles, weights: Counts) -> Doubles:
    place = np.unique(values, return_inverse=True)[1]
    count = np.bincount(place, weights)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[place])


def _defined(
    confidence: Doubles, quality: Doubles, weights: Counts | None
) -> tuple[Doubles, Doubles, Counts]:
    if confidence.shape != quality.shape or confidence.ndim != 1:
        raise InputError(
            f"quality: found shape {quality.shape}, expected the confidence's {confidence.shape}, (N,)"
        )
    if np.isnan(confidence).any():
        raise InputError("confidence: found NaN, expected numbers")
    kept = ~np.isnan(quality)
    if not kept.any():
        raise InputError("quality: found NaN alone, expected at least one number")
    often = np.ones(len(quality), dtype=np.int64) if weights is None else weights
    return confidence[kept], quality[kept], often[kept]
