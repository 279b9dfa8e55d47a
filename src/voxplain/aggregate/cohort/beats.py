"""Which entries are more than a null expects: only these are worth a colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort.matrix import Mask, Matrix, Numbers, place
from voxplain.aggregate.cohort.multiplicity import false_discovery
from voxplain.aggregate.cohort.networks import LEAST, WEIGHTS, above_networks
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
        q: p, corrected over the table (Benjamini–Hochberg), the targets' own regions by themselves: that these are found
            says nothing of others.
        logs: natural log of value / expected, against the null that is beaten least: median over cases, mean over networks
            with redrawn weights; may be infinite where the value or the expectation is 0.
        worst: index of that null, −1 where none can judge.
        n: cases that the test of that null had; networks, where it is redrawn weights.
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


def beats(
    matrix: Matrix, nulls: Mapping[str, Matrix], *, redrawn: Sequence[Matrix] = (), level: float = 0.05
) -> Beaten:
    """Test every entry against what each null expects of it.

    What volume and distance expect is tested case by case (signed ranks of log-ratios, exact); what networks with redrawn
    weights give, network by network (a moderated t-test, in which the network is one more draw under the null). A target's
    own region is judged by its volume alone: distance cannot, and any network looks at what it labels.

    Args:
        matrix: shares or other amounts.
        nulls: expected amounts by name: `by_volume`, `by_distance`. Names are found by themselves, in any order.
        redrawn: the same statistic of networks with redrawn weights, each case of each matrix of another network, as
            ``voxplain aggregate`` runs them. They become the null "redrawn weights".

    Raises:
        InputError: no null, other cases, negative amounts.
    """
    if not nulls and not redrawn:
        raise InputError("nulls: found none, expected at least one matrix of expected values")
    each = [_against(matrix, nulls[k], k) for k in nulls]
    cases = max((int(n.max(initial=0)) for _, _, n in each), default=len(matrix.cases))
    names = tuple(nulls)
    if redrawn:
        each.append(above_networks(matrix, [_like(matrix, m, WEIGHTS) for m in redrawn]))
        names = (*names, WEIGHTS)
    ps, logs, counts = (np.stack(a) for a in zip(*each, strict=True))
    own = np.array([[t == r for r in matrix.regions] for t in matrix.targets])
    if redrawn:
        ps[:, np.isnan(ps[-1]) & ~own] = np.nan  # more than volume and distance may be what any network gives
        ps[-1][own] = np.nan  # any network looks at what it labels, the untrained one at little else
    judged = ~np.isnan(ps)
    worst = np.where(judged, ps, -1.0).argmax(0)
    p, middle, n = (np.take_along_axis(a, worst[None], 0)[0] for a in (ps, logs, counts))
    q = np.where(own, false_discovery(np.where(own, p, np.nan)), false_discovery(np.where(own, np.nan, p)))
    least = 0.5**cases if nulls else 0.0
    return Beaten(
        names,
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
        _note(cases, least, int(counts[-1].max(initial=0)) if redrawn else LEAST, level),
    )


def _like(matrix: Matrix, null: Matrix, name: str) -> Matrix:
    """The null with the names of the matrix, in their order."""
    if null.cases != matrix.cases:
        raise InputError(f"null {name!r}: it has other cases than {matrix.statistic}")
    for names, known, what in (
        (matrix.targets, null.targets, "target"),
        (matrix.regions, null.regions, "region"),
    ):
        for x in names:
            place(known, x, f"null {name!r}: {what}")
    expected = null.pick(targets=matrix.targets, regions=matrix.regions)
    for told, given in ((matrix.statistic, matrix.values), (f"null {name!r}", expected.values)):
        if (given < 0).any():
            raise InputError(
                f"{told}: found negative values, expected amounts such as mass, of which ratios are taken"
            )
    return expected


def _against(matrix: Matrix, null: Matrix, name: str) -> tuple[Numbers, Numbers, NDArray[np.int64]]:
    """p, median log-ratio, cases: (targets, regions)."""
    expected = _like(matrix, null, name).values
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


def _note(cases: int, least: float, networks: int, level: float) -> str:
    if least > level:
        needed = int(np.ceil(-np.log2(level)))
        told = "1 case" if cases == 1 else f"{cases} cases"
        return f"cannot tell: {told}, of which the smallest p is {least:.2g}; at least {needed} are needed"
    if networks < LEAST:
        return f"cannot tell: {networks} networks with {WEIGHTS}; at least {LEAST} are needed"
    return ""
