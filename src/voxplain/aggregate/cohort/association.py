"""Rank association of many entries with one column, with permutation p."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy
from numpy.typing import NDArray

from voxplain.aggregate.cohort.arrangements import shuffles
from voxplain.aggregate.cohort.matrix import Mask, Numbers

LEAST = 4  # cases: of three, every order is as good as any
EQUAL = 1e-9


def associate(
    entries: Numbers, numbers: Numbers | None, groups: NDArray[np.intp] | None, most: int, *, seed: int
) -> tuple[Numbers, Numbers, NDArray[np.int64]]:
    """Of every entry, over the cases in which both are known.

    Under the null every order of the column's values is equally likely. What that does to a rank statistic depends on ranks
    alone, so entries with the same cases and ties share one null distribution.

    Args:
        entries: (cases, E), NaN for what is not there.
        numbers: (cases,) a numeric column: Spearman's ρ, two-sided.
        groups: (cases,) or a categorical one, −1 for what is not known: the share of the ranks' variance between groups.
        most: permutations; all of them where there are no more.

    Returns:
        effect, p, cases: (E,) NaN for fewer than four cases, or where either is constant.
    """
    known = ~np.isnan(numbers) if numbers is not None else np.asarray(groups) >= 0
    effect, p = np.full(entries.shape[1], np.nan), np.full(entries.shape[1], np.nan)
    cases = (~np.isnan(entries) & known[:, None]).sum(0)
    for rows, columns in alike(~np.isnan(entries) & known[:, None]):
        if len(rows) < LEAST:
            continue
        ranks = scipy.stats.rankdata(entries[np.ix_(rows, columns)], axis=0)
        basis = _basis(numbers[rows]) if numbers is not None else _indicators(np.asarray(groups)[rows])
        if basis is None:
            continue
        order, _ = shuffles(len(rows), most, seed=seed)
        for ties, members in _by_ties(ranks):
            if np.ptp(ties) == 0:
                continue
            null = np.sort(_statistic(_standard(ties[:, None])[order, 0].T, basis))
            found = _statistic(_standard(ranks[:, members]), basis)
            at = np.searchsorted(null, found - EQUAL)
            p[columns[members]] = (len(null) - at) / len(null)
            sign = np.sign(basis[:, 0] @ _standard(ranks[:, members])) if numbers is not None else 1.0
            effect[columns[members]] = np.sqrt(found) * sign if numbers is not None else found
    return effect, p, cases


def alike(known: Mask) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Entries that the same cases have: (their cases, these entries)."""
    patterns, which = np.unique(known, axis=1, return_inverse=True)
    for k in range(patterns.shape[1]):
        yield np.flatnonzero(patterns[:, k]), np.flatnonzero(which.ravel() == k)


def standard_ranks(values: Numbers) -> Numbers:
    """(n, E) ranks of columns with mean 0 and length 1; zeros where constant."""
    return _standard(scipy.stats.rankdata(values, axis=0))


def _by_ties(ranks: Numbers) -> Iterator[tuple[Numbers, NDArray[np.intp]]]:
    kinds, which = np.unique(np.sort(ranks, axis=0), axis=1, return_inverse=True)
    for k in range(kinds.shape[1]):
        yield kinds[:, k], np.flatnonzero(which.ravel() == k)


def _standard(ranks: Numbers) -> Numbers:
    away = ranks - ranks.mean(0)
    length = np.sqrt((away**2).sum(0))
    return np.asarray(away / np.where(length > 0, length, 1.0))


def _basis(numbers: Numbers) -> Numbers | None:
    """(n, 1) on which a projection is the correlation; None for a constant."""
    found = standard_ranks(numbers[:, None])
    return found if found.any() else None


def _indicators(groups: NDArray[np.intp]) -> Numbers | None:
    """(n, K) orthonormal, on which the squared length of a projection is the share between groups; None for one group."""
    kinds = np.unique(groups)
    member = (groups[:, None] == kinds).astype(np.float64)
    return member / np.sqrt(member.sum(0)) if len(kinds) > 1 else None


def _statistic(ranks: Numbers, basis: Numbers) -> Numbers:
    """(E,) ρ², or the share between groups, of ranks with mean 0 and length 1."""
    return np.asarray(((basis.T @ ranks) ** 2).sum(0))
