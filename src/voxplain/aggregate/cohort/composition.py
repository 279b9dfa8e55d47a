"""Shares that add up to one, as log-ratios: what Euclidean statistics may be done with (Aitchison, 1986)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from voxplain.aggregate.cohort.matrix import Mask, Matrix, Numbers, need_finite, place
from voxplain.aggregate.cohort.told import Told
from voxplain.errors import InputError

LIMIT = 1e-6
REPLACED = 0.65  # of the limit: what stands for an amount below it (Martín-Fernández, Barceló-Vidal & Pawlowsky-Glahn, 2003)
LEAST_PARTS = 2


@dataclass(frozen=True, eq=False)
class Compositions(Told):
    """Each target's shares of its parts, case by case.

    Attributes:
        cases, targets, parts: names.
        shares: (cases, targets, parts) that add up to 1 over the parts which the case has, all above 0 after replacement;
            NaN for parts that it has not, and for targets without any.
        replaced: (cases, targets, parts) shares below the limit, which were replaced.
        limit: of detection.
    """

    cases: tuple[str, ...]
    targets: tuple[str, ...]
    parts: tuple[str, ...]
    shares: Numbers
    replaced: Mask
    limit: float

    @property
    def logs(self) -> Numbers:
        """(cases, targets, parts) natural logarithms of the shares."""
        return np.asarray(np.log(self.shares), dtype=np.float64)

    @property
    def clr(self) -> Numbers:
        """(cases, targets, parts) centred log-ratios: logarithms less their mean over the parts that the case has."""
        return centred(self.logs)

    @property
    def known(self) -> Mask:
        """(cases, targets) where there is a composition."""
        return np.asarray(~np.isnan(self.shares).all(2))


def compose(matrix: Matrix, *, limit: float = LIMIT, leave_out: Collection[str] = ()) -> Compositions:
    """Compositions of a matrix of amounts: mass, or absolute, positive, negative sums.

    Zeros: a share below ``limit`` is not told from zero, and becomes 0.65 × limit; the others give that up in proportion, so
    that ratios among them stay. Absent regions are left out part by part: the rest is a subcomposition, not a patient less.

    Args:
        limit: of detection, as a share.
        leave_out: regions (such as background) without which the rest is closed to 1 again.

    Raises:
        InputError: negative or infinite amounts, a limit that is none, fewer than two parts.
    """
    for region in leave_out:
        place(matrix.regions, region, "region")
    kept = [r for r in matrix.regions if r not in set(leave_out)]
    if len(kept) < LEAST_PARTS:
        raise InputError(f"compositions: found {len(kept)} regions, expected at least {LEAST_PARTS} parts")
    if not 0 < limit * len(kept) < 1:
        raise InputError(
            f"limit: found {limit:g}, expected a share above 0 and below 1 / {len(kept)}, one over the number of parts"
        )
    amounts = need_finite(matrix.pick(regions=kept), "compositions")
    if (amounts < 0).any():
        raise InputError(
            f"compositions: found negative values of {matrix.statistic}, expected amounts such as mass or absolute"
        )
    shares, replaced = _closed(amounts, limit)
    return Compositions(matrix.cases, matrix.targets, tuple(kept), shares, replaced, limit)


def centred(logs: Numbers) -> Numbers:
    """(..., parts) less the mean of those that are there."""
    there = ~np.isnan(logs)
    mean = np.where(there, logs, 0.0).sum(-1, keepdims=True) / np.maximum(there.sum(-1, keepdims=True), 1)
    return np.asarray(logs - mean, dtype=np.float64)


def _closed(amounts: Numbers, limit: float) -> tuple[Numbers, Mask]:
    there = ~np.isnan(amounts)
    total = np.where(there, amounts, 0.0).sum(-1, keepdims=True)
    shares = amounts / np.where(total > 0, total, np.nan)
    low = shares < limit
    high = np.where(there & ~low, shares, 0.0).sum(-1, keepdims=True)
    given = REPLACED * limit * low.sum(-1, keepdims=True)
    closed = shares * ((1 - given) / np.where(high > 0, high, np.nan))
    return np.where(low, REPLACED * limit, closed), low
