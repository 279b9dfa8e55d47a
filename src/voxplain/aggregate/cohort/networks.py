"""What an entry must be more than: the same entry of networks of the same kind that have learned nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort.matrix import Matrix, Numbers
from voxplain.aggregate.cohort.moderated import above_zero_by_networks

WEIGHTS = "redrawn weights"
LEAST = 4  # networks; with three, the spread of single entries is known too badly: more is called than the level allows
FLOOR = 1e-6  # shares below are as good as nothing: their logarithms would be all that counts


def above_networks(matrix: Matrix, networks: Sequence[Matrix]) -> tuple[Numbers, Numbers, NDArray[np.int64]]:
    """Whether entries are larger than a network with redrawn weights would give: p, mean log-ratio, networks.

    The replicates are networks, not cases: one untrained network, too, may look where another does not, in every case
    alike. So each case of each matrix is to be of a network of its own.

    Args:
        matrix: shares of the network.
        networks: the same of networks with redrawn weights; cases, targets and regions are those of ``matrix``.

    Returns:
        each (targets, regions); p is NaN with fewer than four networks.
    """
    shape = matrix.values.shape[1:]
    if not networks:
        return np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    own = np.log(np.maximum(matrix.values, FLOOR))
    others = np.stack([np.log(np.maximum(m.values, FLOOR)) for m in networks])
    differences = (own - others).reshape(-1, *shape)
    p, n = above_zero_by_networks(differences.reshape(len(differences), -1))
    known = ~np.isnan(differences)
    with np.errstate(invalid="ignore"):
        mean = np.where(known, differences, 0.0).sum(0) / known.sum(0)
    p = np.where(n >= LEAST, p, np.nan)
    return p.reshape(shape), mean, n.reshape(shape)
