"""What groups of draws say about a voxel, and how far off the sums are that are made of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def estimates(groups: Array, sizes: Array) -> Array:
    """The map from all draws, and from all but each group: (G, v) -> (1 + G, v), or (1, v) of a single group.

    Args:
        groups: each group's part of the sum over all draws, which is the map.
        sizes: (G,) draws of each group.
    """
    count = len(sizes)
    if count == 1:
        return groups
    out = np.empty((1 + count, groups.shape[1]))
    groups.sum(0, out=out[0])
    np.subtract(out[0], groups, out=out[1:])
    out[1:] *= (sizes.sum() / (sizes.sum() - sizes))[:, None]
    return out


def energies(groups: Array, sizes: Array) -> Array:
    """Squares of the map, unbiased: (G, v) -> (1 + G, v), the later ones without each group; (1, v) for G < 3.

    The square of a mean of n noisy gradients is too large by their variance over n. Products of different groups are not:
    their noise is independent. With two groups it is the product of the two halves, with more the mean over all pairs. Of a
    single group, the plain square.
    """
    count = len(sizes)
    if count == 1:
        return groups**2
    # each group's own estimate of the map
    own = groups * (sizes.sum() / sizes)[:, None]
    total = own.sum(0)
    squares = own**2
    of_all = squares.sum(0)
    whole = (total**2 - of_all) / (count * (count - 1))
    if count == 2:
        return np.asarray(whole[None])
    out = np.empty((1 + count, groups.shape[1]))
    out[0] = whole
    np.subtract(total, own, out=out[1:])
    out[1:] **= 2
    out[1:] -= of_all
    out[1:] += squares
    out[1:] /= (count - 1) * (count - 2)
    return out


def jackknife(rest: Array) -> Array:
    """Standard error from what is found without each group: (G, ...) -> (...); NaN for less than two.

    ``√((G − 1)/G · Σ (θ₋g − θ̄)²)``, Quenouille 1956, Tukey 1958. With few groups it is rough itself: G − 1 degrees of
    freedom.
    """
    count = len(rest)
    if count < 2:
        return np.full(rest.shape[1:], np.nan)
    spread = ((rest - rest.mean(0)) ** 2).sum(0)
    return np.asarray(np.sqrt((count - 1) / count * spread))


def of_draws(shares: Array) -> Array:
    """Standard error of a sum from the independent shares (n, ...) that each draw has in it: ``√(n · Var)``."""
    count = len(shares)
    return np.asarray(np.sqrt(count * shares.var(0, ddof=1)))
