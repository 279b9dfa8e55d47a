"""Whether groups of cases (sites, scanners) differ, entry by entry, by permutation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort.arrangements import Arrangements, Labels, arrangements
from voxplain.aggregate.cohort.difference import Difference, differences
from voxplain.aggregate.cohort.matrix import Matrix, Numbers, need_finite
from voxplain.aggregate.cohort.multiplicity import false_discovery
from voxplain.aggregate.cohort.told import Told
from voxplain.errors import InputError

PERMUTATIONS = 9_999
MOST_GROUPS = 12
CELLS = 4_000_000  # floats of a chunk of arrangements
EQUAL = 1e-9


@dataclass(frozen=True, eq=False)
class GroupComparison(Told):
    """Of two groups or more; arrays are (targets, regions), NaN where there was no test.

    Attributes:
        groups, sizes: names and cases of each.
        share: η², the part of the variance (within strata) that lies between groups: 0 to 1.
        p: of the permutation test; q: corrected as a share of false alarms (Benjamini–Hochberg).
        p_any: corrected for the chance of any false alarm at all, by the largest statistic (Westfall & Young, 1993).
        differences: of every two groups, with sizes and intervals.
        presence_p: (regions) p of the same test on having the region at all; NaN where all have it, or none.
        exact: every arrangement of the labels was tried, of which there are ``total``.
        least: the smallest p that any outcome could have had.
        left_out: cases whose group or stratum is not known.
        note: what stands against reading it.
    """

    statistic: str
    targets: tuple[str, ...]
    regions: tuple[str, ...]
    groups: tuple[str, ...]
    sizes: tuple[int, ...]
    strata: tuple[str, ...]
    share: Numbers
    p: Numbers
    q: Numbers
    p_any: Numbers
    differences: tuple[Difference, ...]
    presence_p: Numbers
    exact: bool
    total: int
    least: float
    left_out: tuple[str, ...]
    note: str

    def found(self, level: float = 0.05) -> list[dict[str, Any]]:
        """Entries at this share of false alarms, the surest first, with the largest difference of two groups."""
        places = sorted(
            map(tuple, np.argwhere(self.q <= level).tolist()), key=lambda at: (self.q[at], -self.share[at])
        )
        out = []
        for t, r in places:
            most = max(self.differences, key=lambda d: np.nan_to_num(abs(d.size[t, r]), nan=-1.0))
            out.append(
                {
                    "target": self.targets[t],
                    "region": self.regions[r],
                    "share": float(self.share[t, r]),
                    "p": float(self.p[t, r]),
                    "q": float(self.q[t, r]),
                    "p_any": float(self.p_any[t, r]),
                    "groups": [most.first, most.second],
                    "difference": float(most.difference[t, r]),
                    "low": float(most.low[t, r]),
                    "high": float(most.high[t, r]),
                    "size": float(most.size[t, r]),
                }
            )
        return out


def compare_groups(
    matrix: Matrix,
    groups: Sequence[str | None],
    *,
    strata: Sequence[str | None] | None = None,
    permutations: int = PERMUTATIONS,
    resamples: int = 2000,
    level: float = 0.95,
    alpha: float = 0.05,
    seed: int = 0,
) -> GroupComparison:
    """Compare groups in every entry: F between groups, against every (or many a) way the labels could have fallen.

    The null: values and the having of regions do not depend on the group, within strata. Log-ratios or log-enrichments
    suit better than shares, of which one that grows makes all others shrink.

    Args:
        groups: (cases,) as `metadata.labels("site")`; None leaves the case out, and says so.
        strata: (cases,) a confounder: labels are exchanged within its values only, and means are compared within them.
        permutations: all arrangements where there are no more.
        level: of the bootstrap intervals.
        alpha: at which the note says whether anything can be found.

    Raises:
        InputError: labels of other cases, one group or more than twelve, infinite figures.
    """
    values = need_finite(matrix, "groups")
    rows, left_out = _known(matrix, groups, strata)
    names, labels = _coded([groups[i] for i in rows], "groups")
    layers, stratum = _coded(["" if strata is None else strata[i] for i in rows], "strata", least=1)
    if len(names) > MOST_GROUPS:
        raise InputError(
            f"groups: found {len(names)} ({', '.join(names[:4])}, …), expected at most {MOST_GROUPS}"
        )
    shape = (len(matrix.targets), len(matrix.regions))
    given = values[rows].reshape(len(rows), -1)
    ways = arrangements(labels, stratum, permutations, seed=seed)
    share, p, p_any = _tested(given, labels, stratum, ways)
    _, presence_p, _ = _tested(matrix.present[rows].astype(np.float64), labels, stratum, ways)
    made = tuple(
        differences(
            given, labels == a, labels == b, stratum, (names[a], names[b]), shape, resamples, level, seed
        )
        for a, b in combinations(range(len(names)), 2)
    )
    sizes = tuple(np.bincount(labels).tolist())
    tests = int((~np.isnan(p)).sum())
    return GroupComparison(
        matrix.statistic,
        matrix.targets,
        matrix.regions,
        names,
        sizes,
        layers if strata is not None else (),
        share.reshape(shape),
        p.reshape(shape),
        false_discovery(p).reshape(shape),
        p_any.reshape(shape),
        made,
        presence_p,
        ways.exact,
        ways.total,
        ways.least,
        left_out,
        _note(names, sizes, ways, tests, alpha),
    )


def _known(
    matrix: Matrix, groups: Sequence[str | None], strata: Sequence[str | None] | None
) -> tuple[list[int], tuple[str, ...]]:
    for what, given in (("groups", groups), ("strata", strata)):
        if given is not None and len(given) != len(matrix.cases):
            raise InputError(f"{what}: found {len(given)} labels, expected {len(matrix.cases)}, one per case")
    known = [
        groups[i] is not None and (strata is None or strata[i] is not None) for i in range(len(matrix.cases))
    ]
    rows = [i for i, k in enumerate(known) if k]
    return rows, tuple(c for c, k in zip(matrix.cases, known, strict=True) if not k)


def _coded(labels: Sequence[str | None], what: str, least: int = 2) -> tuple[tuple[str, ...], Labels]:
    names = sorted({str(v) for v in labels})
    if len(names) < least:
        raise InputError(
            f"{what}: found {len(names)} among {len(labels)} known labels, expected at least {least}"
        )
    return tuple(names), np.array([names.index(str(v)) for v in labels], dtype=np.intp)


def _tested(
    values: Numbers, labels: Labels, stratum: Labels, ways: Arrangements
) -> tuple[Numbers, Numbers, Numbers]:
    """η², p, and p corrected for all entries: (E,)."""
    there = ~np.isnan(values)
    centred, layers = _within(values, there, stratum)
    squares = (centred**2).sum(0)
    scale = np.where(there, np.abs(np.nan_to_num(values)), 0.0).max(0, initial=0.0)
    varies = squares > (1e-12 * scale) ** 2
    count = int(labels.max()) + 1
    share, observed = _statistic(centred, there, squares, labels[None], count, layers)
    tested = varies & (_filled(there, labels, count) > 1)
    above = np.zeros(len(squares))
    above_any = np.zeros(len(squares))
    size = max(CELLS // max(len(squares), 1), 1)
    for start in range(0, len(ways.labels), size):
        part = ways.labels[start : start + size]
        found = _statistic(centred, there, squares, part, count, layers)[1]
        found[:, ~tested] = 0.0
        limit = observed[0] * (1 - EQUAL)
        above += (found >= limit).sum(0)
        largest = np.sort(found.max(1, initial=0.0))
        above_any += len(part) - np.searchsorted(largest, limit)
    out = [share[0], above / len(ways.labels), above_any / len(ways.labels)]
    return out[0] * np.where(tested, 1, np.nan), *(np.where(tested, a, np.nan) for a in out[1:])


def _within(values: Numbers, there: NDArray[np.bool_], stratum: Labels) -> tuple[Numbers, NDArray[np.int64]]:
    """Values less their stratum's mean, 0 where not there; and how many strata each entry has."""
    out = np.where(there, values, 0.0)
    layers = np.zeros(values.shape[1], dtype=np.int64)
    for s in np.unique(stratum):
        rows = stratum == s
        n = there[rows].sum(0)
        layers += n > 0
        out[rows] = np.where(there[rows], out[rows] - out[rows].sum(0) / np.maximum(n, 1), 0.0)
    return out, layers


def _statistic(
    centred: Numbers,
    there: NDArray[np.bool_],
    squares: Numbers,
    labels: Labels,
    count: int,
    layers: NDArray[np.int64],
) -> tuple[Numbers, Numbers]:
    """η² and F of arrangements: (B, E) from labels (B, cases)."""
    between = np.zeros((len(labels), centred.shape[1]))
    filled = np.zeros_like(between)
    known = there.astype(np.float64)
    for k in range(count):
        member = (labels == k).astype(np.float64)
        n = member @ known
        between += (member @ centred) ** 2 / np.maximum(n, 1)
        filled += n > 0
    # Rounded, so that arrangements that say the same are equal.
    share = np.minimum(np.round(between / np.where(squares > 0, squares, 1.0), 12), 1.0)
    inside = np.maximum(there.sum(0) - layers - filled + 1, 1)
    with np.errstate(divide="ignore"):
        return share, (share / np.maximum(filled - 1, 1)) / ((1 - share) / inside)


def _filled(there: NDArray[np.bool_], labels: Labels, count: int) -> NDArray[np.int64]:
    """(E,) groups with a figure."""
    return np.asarray(sum(there[labels == k].any(0).astype(np.int64) for k in range(count)))


def _note(
    names: tuple[str, ...], sizes: tuple[int, ...], ways: Arrangements, tests: int, alpha: float
) -> str:
    """Whether any outcome at all could have been told from chance."""
    told = ", ".join(f"{s} of {n}" for n, s in zip(names, sizes, strict=True))
    if ways.least > alpha:
        return f"cannot tell: {told}; the smallest p that any outcome could have is {ways.least:.2g}"
    if ways.least * tests > alpha:
        return (
            f"a single entry cannot be told among {tests} by q: {told}; the smallest p that any outcome could have is "
            f"{ways.least:.2g}; p_any can"
        )
    return ""
