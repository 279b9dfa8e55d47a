"""Cases in which a target depends on other regions than in most, and the regions that make the difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy

from voxplain.aggregate.cohort.composition import Compositions
from voxplain.aggregate.cohort.matrix import Mask, Matrix, Numbers
from voxplain.aggregate.cohort.multiplicity import false_discovery
from voxplain.aggregate.cohort.robust import QN_EFFICIENCY, median, scale
from voxplain.aggregate.cohort.told import Told
from voxplain.aggregate.cohort.typical import correlation, standardised, whitening
from voxplain.errors import InputError

LEAST_CASES = 8  # fewer have no middle to be far from
FOLDS = 50
USUAL = 0.5  # share of cases from which on a region is usual: to lack it, or to have one that is not, is worth telling
POWER = 1 / 6


@dataclass(frozen=True, eq=False)
class Outliers(Told):
    """How far each case is from the typical composition of a target.

    Attributes:
        cases, targets, regions: names.
        score: (cases, targets) standard deviations from the middle of all cases' distances; NaN where the target has no
            composition, or fewer than 8 cases have one.
        p: (cases, targets) of such a score among cases like the others.
        q: p, corrected for all cases and targets (Benjamini–Hochberg).
        z: (cases, targets, regions) robust z of the log-ratio: above 0 for more than is typical.
        contribution: (cases, targets, regions) shares of the squared distance, which add up to 1.
        missing: (cases, regions) regions that the case lacks and most cases have; no score counts them.
        unusual: (cases, regions) regions that the case has and most cases lack; no score counts them.
        prevalence: (regions) share of cases that have the region.
    """

    cases: tuple[str, ...]
    targets: tuple[str, ...]
    regions: tuple[str, ...]
    score: Numbers
    p: Numbers
    q: Numbers
    z: Numbers
    contribution: Numbers
    missing: Mask
    unusual: Mask
    prevalence: Numbers

    def flagged(self, level: float = 0.05) -> list[dict[str, Any]]:
        """Outliers that are called at this share of false alarms, the farthest first, with the regions that cause it.

        Regions are told until they explain half of the distance, three at most.
        """
        found = [
            (float(self.q[c, t]), -float(self.score[c, t]), c, t) for c, t in np.argwhere(self.q <= level)
        ]
        return [self._told(int(c), int(t)) for *_, c, t in sorted(found)]

    def flags(self) -> list[dict[str, Any]]:
        """Cases that lack a usual region, or have an unusual one."""
        return [
            {
                "case": case,
                "missing": [r for r, m in zip(self.regions, self.missing[i], strict=True) if m],
                "unusual": [r for r, u in zip(self.regions, self.unusual[i], strict=True) if u],
            }
            for i, case in enumerate(self.cases)
            if self.missing[i].any() or self.unusual[i].any()
        ]

    def _told(self, c: int, t: int) -> dict[str, Any]:
        share = np.nan_to_num(self.contribution[c, t])
        order = np.argsort(-share, kind="stable")
        count = min(int(np.searchsorted(np.cumsum(share[order]), 0.5)) + 1, 3)
        causes = [
            {"region": self.regions[r], "z": float(self.z[c, t, r]), "share": float(share[r])}
            for r in order[:count]
        ]
        missing = [r for r, m in zip(self.regions, self.missing[c], strict=True) if m]
        return {
            "case": self.cases[c],
            "target": self.targets[t],
            "score": float(self.score[c, t]),
            "p": float(self.p[c, t]),
            "q": float(self.q[c, t]),
            "regions": causes,
            "missing": missing,
        }


def outliers(compositions: Compositions, matrix: Matrix) -> Outliers:
    """Find them, also where cases are fewer than regions.

    Coordinates are robust z of log-ratios (`standardised`), whitened by a shrunk covariance of the other cases (left out one
    by one, or a fiftieth of many at a time): a case must not make its own distance normal. The mean square of
    the whitened coordinates is judged against the others' own mean squares, whatever these are: its sixth root (between
    the cube root that makes χ² normal and the logarithm, since directions are whitened but in part) less the median, by Qn,
    as Student's t with the degrees of freedom that Qn leaves. No quantile of χ² is trusted, which holds for many more cases
    than parts only. Measured on clean normal log-ratios (10 to 60 cases, 5 to 104 parts, independent, a chain, or two
    strong factors), p ≤ 0.01 came 0.3 to 1.6 times as often as it says; 1.9 times with 20 cases of 104 parts under strong
    factors, where q ≤ 0.05 was met by some case of a target in 18 % instead of 5 %.

    Regions that fewer than half of the cases have are left out of scores; that a case has them is told by itself.

    Args:
        matrix: that the compositions are of, for what is present.

    Raises:
        InputError: a matrix of other cases.
    """
    if matrix.cases != compositions.cases:
        raise InputError("outliers: the matrix has other cases than the compositions")
    shape = compositions.shares.shape
    score, p = np.full(shape[:2], np.nan), np.full(shape[:2], np.nan)
    z, contribution = np.full(shape, np.nan), np.full(shape, np.nan)
    for t in range(shape[1]):
        rows = np.flatnonzero(compositions.known[:, t])
        if len(rows) < LEAST_CASES:
            continue
        logs = compositions.logs[rows, t]
        usual = np.flatnonzero((~np.isnan(logs)).mean(0) >= USUAL)
        found = standardised(logs[:, usual])
        squares = _whitened(found) ** 2
        total = np.nansum(squares, 1)
        score[rows, t], p[rows, t] = _far(total, (~np.isnan(squares)).sum(1))
        z[rows[:, None], t, usual] = found
        contribution[rows[:, None], t, usual] = squares / np.where(total > 0, total, np.nan)[:, None]
    present = matrix.pick(regions=compositions.parts).present
    asked = np.any(matrix.answered, axis=1, keepdims=True)
    prevalence = present[asked[:, 0]].mean(0) if asked.any() else np.full(shape[2], np.nan)
    missing = asked & ~present & (prevalence > USUAL)
    unusual = asked & present & (prevalence < USUAL)
    q = false_discovery(p)
    return Outliers(
        compositions.cases,
        compositions.targets,
        compositions.parts,
        score,
        p,
        q,
        z,
        contribution,
        missing,
        unusual,
        prevalence,
    )


def _whitened(z: Numbers) -> Numbers:
    """(cases, parts) in coordinates that do not depend on each other among the other cases."""
    out = np.full_like(z, np.nan)
    folds = np.array_split(np.arange(len(z)), min(len(z), FOLDS))
    for fold in folds:
        covariance = correlation(np.delete(z, fold, axis=0))
        made: dict[bytes, Numbers] = {}
        for i in fold.tolist():
            there = ~np.isnan(z[i])
            key = there.tobytes()
            if key not in made:
                made[key] = whitening(covariance[np.ix_(there, there)])
            out[i, there] = made[key] @ z[i, there]
    return out


def _far(total: Numbers, parts: Numbers) -> tuple[Numbers, Numbers]:
    """Scores and their p from sums of squares of so many parts; a mean of fewer parts varies more, by the root."""
    mean = total / np.maximum(parts, 1)
    root = np.where(parts > 1, mean, np.nan) ** POWER
    middle, spread = median(root[:, None])[0], scale(root[:, None])[0]
    beyond = root - middle
    wide = spread * np.sqrt(np.maximum(parts.max(), 1) / np.maximum(parts, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(beyond == 0, 0.0, beyond / wide)
    n = int((~np.isnan(root)).sum())
    p = scipy.stats.t.sf(score / np.sqrt(1 + np.pi / (2 * n)), QN_EFFICIENCY * (n - 1))
    return score, np.asarray(np.where(np.isnan(root), np.nan, p))
