"""Whether a cohort's mean map differs from none, by flipping signs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from voxplain.simulator.group.checking import inside, stacked
from voxplain.simulator.group.group_map import FLAT, GroupMap, Numbers, on_the_grid
from voxplain.simulator.group.permuting import counted

PERMUTATIONS = 4_999


def group_map(
    maps: Sequence[ArrayLike],
    mask: ArrayLike | None = None,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> GroupMap:
    """Mean over subjects, and where it differs from 0.

    The null: a subject's map and its negative are as likely, as a whole. Signs are flipped for all voxels of a subject
    together, so that what neighbours share is kept (Nichols & Holmes 2002). For log-Jacobians, or any map whose 0 means
    "no change".

    Args:
        maps: one per subject, of one shape (*S), on one grid. Maps of several seeds are averaged before: they are no
            subjects of their own.
        mask: (*S) where to test: the fewer voxels, the less correction.
        permutations: all 2^subjects sign flips where there are no more, else that many random ones.

    Raises:
        InputError: fewer than two subjects, shapes that differ, NaN or infinity.

    >>> found = group_map([[1.0, 1.0], [1.2, -1.0], [0.8, 1.0], [1.1, -1.0], [0.9, 1.0], [1.3, -1.0]])
    >>> found.p.round(3).tolist(), found.exact
    ([0.031, 1.0], True)
    """
    values = stacked(maps)
    where = inside(mask, values.shape[1:])
    rows = values[:, where]
    n = len(rows)
    mean = rows.mean(0)
    tested = (rows != 0).any(0)
    signs, exact = _signs(n, permutations, seed)

    def statistic(weights: Numbers, some: Numbers) -> Numbers:
        flipped = weights @ some / n
        # signs leave the mean square as it is
        square = (some**2).mean(0)
        spread = square - flipped**2
        spread[spread <= FLAT * square] = 0.0  # what rounding leaves where all are alike
        with np.errstate(divide="ignore"):
            return np.asarray(np.abs(flipped) / np.sqrt(spread / (n - 1)))

    found = counted(rows[:, tested], signs, statistic, mean[tested])
    # flipping all signs changes nothing
    least = 2 / 2**n if exact else max(1 / len(signs), 2 / 2**n)
    return on_the_grid(mean, found, tested, where, subjects=(n,), exact=exact, least=least)


def _signs(n: int, most: int, seed: int) -> tuple[Numbers, bool]:
    if 2**n <= most:
        return np.array(list(product((1.0, -1.0), repeat=n))), True
    made = np.random.default_rng([seed, 0x51]).choice((-1.0, 1.0), size=(most + 1, n))
    made[0] = 1.0
    return made, False
