"""Whether two groups' maps differ, by exchanging who is in which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from voxplain.aggregate.cohort.arrangements import arrangements
from voxplain.errors import InputError
from voxplain.simulator.group.checking import inside, stacked
from voxplain.simulator.group.group_map import FLAT, GroupMap, Numbers, on_the_grid
from voxplain.simulator.group.one_sample import PERMUTATIONS
from voxplain.simulator.group.permuting import counted


def group_difference(
    first: Sequence[ArrayLike],
    second: Sequence[ArrayLike],
    mask: ArrayLike | None = None,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> GroupMap:
    """Mean of the first group minus that of the second, and where it differs from 0.

    The null: maps do not depend on the group. Student's t with one variance, against every (or many a) way in which the
    labels could have fallen.

    Args:
        first, second: a map per subject, all of one shape (*S).
        mask: (*S) where to test.
        permutations: all arrangements where there are no more.

    Raises:
        InputError: a group without subjects, fewer than three in all, shapes that differ, NaN or infinity.
    """
    if not len(first) or not len(second):
        raise InputError(f"groups: found {len(first)} and {len(second)} subjects, expected some in both")
    values = stacked([*first, *second], least=3)
    where = inside(mask, values.shape[1:])
    rows = values[:, where]
    sizes = len(first), len(second)
    labels = np.repeat(np.array([1, 0], dtype=np.intp), sizes)
    ways = arrangements(labels, np.zeros_like(labels), permutations, seed=seed)
    order = np.argsort(~(ways.labels == labels).all(1), kind="stable")  # the observed one first
    members = ways.labels[order].astype(np.float64)
    mean = rows[: sizes[0]].mean(0) - rows[sizes[0] :].mean(0)
    centred = rows - rows.mean(0)
    tested = (centred**2).sum(0) > FLAT * np.maximum((rows**2).sum(0), np.finfo(np.float64).tiny)

    def statistic(weights: Numbers, some: Numbers) -> Numbers:
        return _t(weights, some, sizes)

    found = counted(centred[:, tested], members, statistic, mean[tested])
    return on_the_grid(mean, found, tested, where, subjects=sizes, exact=ways.exact, least=ways.least)


def _t(members: Numbers, centred: Numbers, sizes: tuple[int, int]) -> Numbers:
    """|t| of values whose mean over all is 0: the second group's sum is the first one's negative."""
    a, b = sizes
    total = members @ centred
    between = total**2 * (1 / a + 1 / b)
    square = (centred**2).sum(0)
    within = square - between
    within[within <= FLAT * square] = 0.0  # what rounding leaves where all of a group are alike
    with np.errstate(divide="ignore"):
        return np.asarray(np.abs(total) * (1 / a + 1 / b) / np.sqrt(within / (a + b - 2) * (1 / a + 1 / b)))
