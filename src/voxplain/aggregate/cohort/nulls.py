"""What a region would get if the network did not care which region it is."""

from __future__ import annotations

import numpy as np

from voxplain.aggregate.cohort.matrix import Matrix, Numbers, place
from voxplain.aggregate.long_table import JOINER
from voxplain.errors import InputError

__all__ = ["JOINER", "by_distance", "by_volume"]


def by_volume(counts: Matrix, like: Matrix) -> Matrix:
    """Expected shares by volume alone: a region's voxels over those of all regions.

    Args:
        counts: statistic ``voxels`` (or ``volume_ml``) of the same partition, with all its regions.
        like: the matrix of shares that is to be judged.

    Returns:
        the shares, with the names of ``like``; NaN for regions that a case has not.

    Raises:
        InputError: other cases, a region without counts.
    """
    _same_cases(counts, like)
    each = np.where(np.isnan(counts.values), 0.0, counts.values).max(
        1
    )  # a region's voxels are the same for every target
    total = each.sum(1, keepdims=True)
    share = each / np.where(total > 0, total, np.nan)
    picked = share[:, [place(counts.regions, r, "region") for r in like.regions]]
    picked = np.where(picked > 0, picked, np.nan)
    return like.holding(np.repeat(picked[:, None], len(like.targets), axis=1), "share by volume")


def by_distance(shells: Matrix, counts: Matrix, like: Matrix) -> Matrix:
    """Expected shares by distance from the target alone: each shell's share, spread evenly over the shell's voxels.

    E[m_tr] = Σ_s m_ts · n_trs / n_ts, with m_ts the share of shell s and n_trs the voxels of region r in it. A region that
    has all its shells to itself (the target, inside itself) gets its own share by definition: there is nothing to compare it
    with, and its expectation is NaN.

    Args:
        shells: statistic ``mass`` of the partition ``distance``.
        counts: statistic ``voxels`` of the partition ``<partition> × distance`` (``predicted × distance``): one row per
            case, target and pair, region ``<region> × <shell>`` with the names of both partitions joined by " × " (U+00D7),
            value the voxels of the region in that shell of the target. Pairs without voxels may be left out.
        like: the matrix of shares that is to be judged.

    Raises:
        InputError: other cases, a pair of unknown names, no counts of a target.
    """
    for other in (shells, counts):
        _same_cases(other, like)
    expected = np.full(like.values.shape, np.nan)
    pairs = [_pair(name, shells, counts) for name in counts.regions]
    regions = list(dict.fromkeys(region for region, _ in pairs))
    for r, there in zip(like.regions, np.asarray(like.present.any(0)).tolist(), strict=True):
        if r in regions:
            continue
        regions.append(r)  # that nobody has: nothing is expected of it
        if there:
            raise InputError(
                f"region {r!r}: no {counts.partition} row names it, expected rows {r + JOINER + shells.regions[0]!r}"
            )
    for t, target in enumerate(like.targets):
        at = place(counts.targets, target, "target")
        table = np.zeros((len(like.cases), len(regions), len(shells.regions)))
        for j, (region, shell) in enumerate(pairs):
            table[:, regions.index(region), shell] = np.nan_to_num(counts.values[:, at, j])
        share = _spread(shells.values[:, place(shells.targets, target, "target")], table)
        expected[:, t] = share[:, [regions.index(r) for r in like.regions]]
    return like.holding(expected, "share by distance")


def _spread(mass: Numbers, table: Numbers) -> Numbers:
    """(cases, regions) from shell shares (cases, shells) and voxels (cases, regions, shells)."""
    voxels = table.sum(1, keepdims=True)
    part = table / np.maximum(voxels, 1)
    share = (part * np.nan_to_num(mass)[:, None]).sum(2)
    alone = np.asarray((table == voxels) | (table == 0)).all(2)
    told = np.asarray(~np.isnan(mass)).any(1, keepdims=True)
    return np.asarray(np.where(told & (table.sum(2) > 0) & ~alone, share, np.nan))


def _pair(name: str, shells: Matrix, counts: Matrix) -> tuple[str, int]:
    region, joiner, shell = name.rpartition(JOINER)
    if not joiner or shell not in shells.regions:
        raise InputError(
            f"partition {counts.partition}: found region {name!r}, expected <region>{JOINER}<shell> with a shell of "
            f"{', '.join(shells.regions[:4])}"
        )
    return region, shells.regions.index(shell)


def _same_cases(other: Matrix, like: Matrix) -> None:
    if other.cases != like.cases:
        raise InputError(
            f"nulls: {other.statistic} of {other.partition} has other cases than {like.statistic}"
        )
