"""Rank association with one column that a rival, such as the region's volume, does not explain."""

from __future__ import annotations

import numpy as np

from voxplain.aggregate.cohort.arrangements import shuffles
from voxplain.aggregate.cohort.association import EQUAL, LEAST, alike, standard_ranks
from voxplain.aggregate.cohort.matrix import Numbers

FLAT = 1e-9


def partial(
    entries: Numbers, numbers: Numbers, rivals: Numbers, most: int, *, seed: int
) -> tuple[Numbers, Numbers]:
    """Partial Spearman correlations of entries with a column, given each entry's own rival, over cases that have all three.

    P by permuting what the rival leaves of the column (Freedman & Lane, 1983), two-sided.

    Args:
        entries, rivals: (cases, E)
        numbers: (cases,)

    Returns:
        ρ, p: (E,) NaN for fewer than five cases, or where nothing is left of either.
    """
    rho, p = np.full(entries.shape[1], np.nan), np.full(entries.shape[1], np.nan)
    known = ~np.isnan(entries) & ~np.isnan(rivals) & ~np.isnan(numbers)[:, None]
    for rows, columns in alike(known):
        if len(rows) <= LEAST:
            continue
        order, _ = shuffles(len(rows), most, seed=seed)
        y = standard_ranks(numbers[rows, None])[:, 0]
        volumes, which = np.unique(standard_ranks(rivals[np.ix_(rows, columns)]), axis=1, return_inverse=True)
        for k in range(volumes.shape[1]):
            members = columns[which.ravel() == k]
            z = volumes[:, k]
            left = y - z * (z @ y)
            x = standard_ranks(entries[np.ix_(rows, members)])
            x = _unit(x - np.outer(z, z @ x))
            if np.sqrt(left @ left) < FLAT:
                continue
            shuffled = left[order].T
            null = np.abs(x.T @ _unit(shuffled - np.outer(z, z @ shuffled)))  # (members, B)
            found = x.T @ _unit(left[:, None])[:, 0]
            there = x.any(0)
            rho[members[there]] = found[there]
            p[members[there]] = (null >= np.abs(found)[:, None] - EQUAL).mean(1)[there]
    return rho, p


def _unit(values: Numbers) -> Numbers:
    """(n, E) columns of length 1; zeros where nothing is left but rounding."""
    length = np.sqrt((values**2).sum(0))
    return np.asarray(np.where(length > FLAT, values / np.where(length > FLAT, length, 1.0), 0.0))
