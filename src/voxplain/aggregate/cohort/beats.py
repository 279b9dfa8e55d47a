"""Which entries are more than a null expects: only these are worth a colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort.matrix import Mask, Matrix, Numbers, place
from voxplain.aggregate.cohort.multiplicity import false_discovery
from voxplain.aggregate.cohort.robust import median
from voxplain.aggregate.cohort.signed_ranks import above_zero
from voxplain.aggregate.cohort.told import Told
from voxplain.errors import InputError


@dataclass(frozen=True, eq=False)
class Beaten(Told):
    """Entries against one null or several; arrays are (targets, regions).

    Attributes:
        nulls: names.
        mask: entries above all nulls that can judge them, at the level.
        p: one-sided, the largest over nulls: all must be beaten (Berger, 1982); NaN where no null can judge.
        q: p, corrected over the table (Benjamini–Hochberg).
        logs: median over cases of the natural log of value / expected, against the null that is beaten least; may be
            infinite where the value or the expectation is 0.
        worst: index of that null, −1 where none can judge.
        n: cases that the test of that null had.
        level: of q.
        least: the smallest p that the number of cases allows.
        note: what stands against reading it.
    """

    nulls: tuple[str, ...]
    targets: tuple[str, ...]
    regions: tuple[str, ...]
    mask: Mask
    p: Numbers
    q: Numbers
    logs: Numbers
    worst: NDArray[np.int64]
    n: NDArray[np.int64]
    level: float
    least: float
    note: str


def beats(matrix: Matrix, nulls: Mapping[str, Matrix], *, level: float = 0.05) -> Beaten:
    """Test every entry against what each null expects of it, case by case (signed ranks of log-ratios, exact).

    Args:
        matrix: shares or other amounts.
        nulls: expected amounts by name: `by_volume`, `by_distance`, or the same statistic of a network with redrawn weights,
            `cohort.matrix("mass", model="redrawn")`. Names are found by themselves, in any order.

    Raises:
        InputError: no null, other cases, negative amounts.
    """
    if not nulls:
        raise InputError("nulls: found none, expected at least one matrix of expected values")
    ps, logs, counts = (
        np.stack(a) for a in zip(*(_against(matrix, nulls[k], k) for k in nulls), strict=True)
    )
    judged = ~np.isnan(ps)
    worst = np.where(judged, ps, -1.0).argmax(0)
    p, middle, n = (np.take_along_axis(a, worst[None], 0)[0] for a in (ps, logs, counts))
    q = false_discovery(p)
    least = 0.5 ** int(counts.max(initial=0))
    return Beaten(
        tuple(nulls),
        matrix.targets,
        matrix.regions,
        np.asarray(q <= level),
        p,
        q,
        middle,
        np.where(judged.any(0), worst, -1),
        n,
        level,
        least,
        _note(int(counts.max(initial=0)), least, level),
    )


def _against(matrix: Matrix, null: Matrix, name: str) -> tuple[Numbers, Numbers, NDArray[np.int64]]:
    """p, median log-ratio, cases: (targets, regions)."""
    if null.cases != matrix.cases:
        raise InputError(f"null {name!r}: it has other cases than {matrix.statistic}")
    t = [place(null.targets, x, f"null {name!r}: target") for x in matrix.targets]
    r = [place(null.regions, x, f"null {name!r}: region") for x in matrix.regions]
    expected = null.values[:, t][:, :, r]
    for what, given in ((matrix.statistic, matrix.values), (f"null {name!r}", expected)):
        if (given < 0).any():
            raise InputError(
                f"{what}: found negative values, expected amounts such as mass, of which ratios are taken"
            )
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(matrix.values) - np.log(expected)  # NaN for nothing where nothing is expected
    flat = np.round(ratio, 12).reshape(len(matrix.cases), -1)
    p, n = above_zero(flat)
    shape = ratio.shape[1:]
    return p.reshape(shape), _median(flat).reshape(shape), n.reshape(shape)


def _median(values: Numbers) -> Numbers:
    """The middle, where infinities of both signs meet the lower."""
    with np.errstate(invalid="ignore"):
        found = median(values)
    odd = np.isnan(found) & ~np.isnan(values).all(0)
    found[odd] = -np.inf
    return found


def _note(cases: int, least: float, level: float) -> str:
    if least <= level:
        return ""
    needed = int(np.ceil(-np.log2(level)))
    return f"cannot tell: {cases} cases, of which the smallest p is {least:.2g}; at least {needed} are needed"
