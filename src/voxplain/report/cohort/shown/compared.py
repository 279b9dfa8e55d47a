"""Rows of a group comparison, the surest first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort import GroupComparison
from voxplain.report.cohort.page import Groups, Numbers

DRAWN, TOLD = 15, 40


@dataclass(frozen=True)
class Compared:
    """An entry, with the largest difference of two groups.

    Attributes:
        share: of the variance that lies between the groups.
        alone: p against the nulls in the cases of the group that has more; NaN where they are too few. Its own, since
            the entry was picked by another test. ``beats``: whether that is at the level, None where it could not be.
        corrected: p as `Correction` has it; ``called`` whether it is at the level.
        size: Hedges' g.
    """

    target: str
    region: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    size: float
    share: float
    p: float
    corrected: float
    called: bool
    alone: float
    beats: bool | None

    @property
    def more(self) -> str:
        """The group that has more."""
        return self.second if self.difference > 0 else self.first


@dataclass(frozen=True, eq=False)
class Correction:
    """By what entries are called.

    Attributes:
        name: ``q``, a share of false alarms, or ``corrected p``, the chance of any false alarm at all.
        values, called: (targets, regions).
        possible: whether any outcome could have been called.
    """

    name: str
    values: Numbers
    called: NDArray[np.bool_]
    possible: bool


def correction(c: GroupComparison, level: float) -> Correction:
    """By q where a single entry could reach it, else by the largest statistic, which does not count the tests.

    Which one depends on the numbers of cases, permutations and tests alone, never on what was found: choosing the better of
    both would double the false alarms.
    """
    tests = int((~np.isnan(c.p)).sum())
    name, values = ("q", c.q) if c.least * tests <= level else ("corrected p", c.p_any)
    return Correction(name, values, np.asarray(values <= level), c.least <= level)


def compared(
    groups: Groups, left_out: tuple[str, ...], level: float, most: int | None = TOLD
) -> tuple[Compared, ...]:
    """The surest entries, whether or not they are called."""
    c, by = groups.comparison, correction(groups.comparison, level)
    at = [
        (t, r)
        for t, r in np.argwhere(~np.isnan(c.p)).tolist()
        if not {c.targets[t], c.regions[r]} & set(left_out)
    ]
    at.sort(key=lambda e: (by.values[e], c.p[e], -c.share[e], e))
    return tuple(_row(groups, by, t, r) for t, r in at[:most])


def _row(groups: Groups, by: Correction, t: int, r: int) -> Compared:
    c = groups.comparison
    most = max(c.differences, key=lambda d: np.nan_to_num(abs(d.size[t, r]), nan=-1.0))
    difference = float(most.difference[t, r])
    within = groups.within.get(most.second if difference > 0 else most.first)
    alone = float("nan") if within is None else float(within.p[t, r])
    return Compared(
        target=c.targets[t],
        region=c.regions[r],
        first=most.first,
        second=most.second,
        difference=difference,
        low=float(most.low[t, r]),
        high=float(most.high[t, r]),
        size=float(most.size[t, r]),
        share=float(c.share[t, r]),
        p=float(c.p[t, r]),
        corrected=float(by.values[t, r]),
        called=bool(by.called[t, r]),
        alone=alone,
        beats=None if within is None or np.isnan(alone) else alone <= within.level,
    )
