"""Methods' average ranks over cases: Friedman's test and Nemenyi's critical difference (Demšar, 2006)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
PERMUTED = 15  # cases; with fewer the F distribution is too rough, and ranks are permuted instead
PERMUTATIONS = 10_000


@dataclass(frozen=True, eq=False)
class Ranking:
    """How methods rank over cases; rank 1 is the best.

    Attributes:
        cases: those in which every method has a figure.
        average: (M,) mean ranks, ties shared.
        chi2: Friedman's statistic, corrected for ties, M − 1 degrees of freedom.
        f: Iman and Davenport's (1980) less cautious form of it; infinite where all cases agree.
        p: of the hypothesis that methods are alike: by permuting ranks within cases for fewer than 15, else by ``f``.
        critical: least difference of average ranks that means anything (Nemenyi).
    """

    cases: int
    average: Numbers
    chi2: float
    f: float
    p: float
    critical: float
    alpha: float

    @property
    def alike(self) -> list[tuple[int, ...]]:
        """Largest groups of methods that differ by less than the critical difference: a diagram's bars."""
        order = np.argsort(self.average, kind="stable")
        ranks = self.average[order]
        found: list[tuple[int, ...]] = []
        reached = 0
        for start in range(len(order)):
            stop = int(np.searchsorted(ranks, ranks[start] + self.critical, side="left"))
            if stop - start > 1 and stop > reached:
                found.append(tuple(int(i) for i in order[start:stop]))
                reached = stop
        return found


def ranking(values: Numbers, *, higher: bool, alpha: float = 0.05, seed: int = 0) -> Ranking | None:
    """Rank methods within every case; none for fewer than three methods or two cases.

    Args:
        values: (N, M), finite.
        higher: whether more is better.
        alpha: level of the critical difference.
        seed: of the permutations.
    """
    if values.ndim != 2 or values.shape[0] < 2 or values.shape[1] < 3:
        return None
    ranks = scipy.stats.rankdata(-values if higher else values, axis=1)
    n, m = ranks.shape
    average = ranks.mean(0)
    chi2 = _friedman(ranks)
    f = _iman_davenport(chi2, n, m)
    p = _permuted(ranks, seed) if n < PERMUTED else float(scipy.stats.f.sf(f, m - 1, (m - 1) * (n - 1)))
    return Ranking(n, average, chi2, f, p, critical_difference(m, n, alpha), alpha)


def critical_difference(methods: int, cases: int, alpha: float = 0.05) -> float:
    """``q_α √(M (M + 1) / 6N)``, q_α of the studentised range over √2 (Nemenyi, 1963).

    >>> round(critical_difference(4, 14), 2)  # Demšar 2006, section 3.2.4
    1.25
    """
    q = scipy.stats.studentized_range.ppf(1 - alpha, methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * cases)))


def _friedman(ranks: Numbers) -> float:
    """``12N / (M (M+1)) · Σ (R_j − (M+1)/2)²``, divided by the share of order that ties leave; 0 where all tie."""
    n, m = ranks.shape
    spread = ((ranks - (m + 1) / 2) ** 2).sum() / (n * m * (m**2 - 1) / 12)  # 1 without ties
    plain = 12 * n / (m * (m + 1)) * ((ranks.mean(0) - (m + 1) / 2) ** 2).sum()
    return float(plain / spread) if spread > 0 else 0.0


def _iman_davenport(chi2: float, n: int, m: int) -> float:
    rest = n * (m - 1) - chi2
    return (n - 1) * chi2 / rest if rest > 1e-9 * n * m else float("inf")


def _permuted(ranks: Numbers, seed: int) -> float:
    """Share of random orders within cases, the observed one counted, whose average ranks differ as much."""
    rng = np.random.default_rng([seed, 0xF41ED])
    total = np.zeros((PERMUTATIONS, ranks.shape[1]))
    for case in ranks:
        total += rng.permuted(np.broadcast_to(case, total.shape), axis=1)
    total[0] = ranks.sum(0)
    spread = (total**2).sum(1)  # Friedman's statistic rises with it
    return float((spread >= spread[0] - 1e-9).mean())
