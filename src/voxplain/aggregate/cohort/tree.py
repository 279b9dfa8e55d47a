"""Hierarchical clusters of targets or cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from voxplain.aggregate.cohort.matrix import Numbers
from voxplain.aggregate.cohort.told import Told
from voxplain.errors import InputError

MOST = 8  # clusters among which the count is chosen
LEAST = 3


@dataclass(frozen=True, eq=False)
class Tree(Told):
    """Average linkage (UPGMA) of names.

    Attributes:
        names: of the leaves.
        merges: (leaves − 1, 4) scipy's linkage matrix: both joined, their distance, the size.
        order: names from the left to the right of a dendrogram, alike ones side by side.
        clusters: (leaves) numbers from 1 on, in that order.
        silhouette: mean of the cut (Rousseeuw, 1987): near 1 for clusters that are apart, near 0 or below for none; NaN
            for one cluster, or as many as leaves.
        cophenetic: correlation of the tree's distances with the given ones; a low one says that there is no tree; NaN where
            all distances are equal.
        left_out: names that have no distance to some others.
    """

    names: tuple[str, ...]
    merges: Numbers
    order: tuple[str, ...]
    clusters: NDArray[np.int64]
    silhouette: float
    cophenetic: float
    left_out: tuple[str, ...]

    def cluster_of(self) -> dict[str, int]:
        """Each name's cluster."""
        return dict(zip(self.names, self.clusters.tolist(), strict=True))


def cluster(values: Numbers, names: Sequence[str], *, count: int | None = None) -> Tree:
    """Cluster names by their distances.

    Args:
        values: (N, N) symmetric distances.
        count: of clusters; the one of the largest mean silhouette, 2 to 8, by default.

    Raises:
        InputError: a matrix that is not symmetric (reading one triangle of it would lose half), negative distances or a
            diagonal that is not zero, too few names with distances, an impossible count.
    """
    _check(values, names)
    kept = _kept(values)
    if len(kept) < LEAST:
        raise InputError(f"clusters: found {len(kept)} names with distances, expected at least {LEAST}")
    if count is not None and not 1 <= count <= len(kept):
        raise InputError(f"clusters: found count {count}, expected 1 to {len(kept)}")
    inside = values[np.ix_(kept, kept)]
    merges = np.asarray(
        scipy.cluster.hierarchy.linkage(
            scipy.spatial.distance.squareform(inside, checks=False), "average", optimal_ordering=True
        ),
        dtype=np.float64,
    )
    order = scipy.cluster.hierarchy.leaves_list(merges)
    counts = [count] if count is not None else list(range(2, min(MOST, len(kept) - 1) + 1))
    cuts = [_numbered(scipy.cluster.hierarchy.fcluster(merges, k, "maxclust"), order) for k in counts]
    scores = [silhouette(inside, cut) for cut in cuts]
    best = int(np.argmax(np.nan_to_num(scores, nan=-2.0)))
    left = tuple(names[i] for i in range(len(names)) if i not in set(kept))
    known = tuple(names[i] for i in kept)
    return Tree(
        known,
        merges,
        tuple(known[i] for i in order),
        cuts[best],
        scores[best],
        _cophenetic(merges, inside),
        left,
    )


def silhouette(values: Numbers, clusters: NDArray[np.int64]) -> float:
    """Mean of (b − a) / max(a, b): a a name's mean distance within its cluster, b to the nearest other; 0 for one alone."""
    found = np.unique(clusters)
    if not 1 < len(found) < len(clusters):
        return float("nan")
    member = (clusters[:, None] == found).astype(np.float64)  # (N, K)
    size = member.sum(0)
    sums = values @ member
    own = member.astype(bool)
    a = sums[own] / np.maximum(size[own.argmax(1)] - 1, 1)
    b = np.where(own, np.inf, sums / size).min(1)
    top = np.maximum(a, b)
    width = np.where(top > 0, (b - a) / np.where(top > 0, top, 1.0), 0.0)
    return float(np.where(size[own.argmax(1)] > 1, width, 0.0).mean())


def _check(values: Numbers, names: Sequence[str]) -> None:
    if values.shape != (len(names), len(names)):
        raise InputError(
            f"distances: found shape {values.shape}, expected {(len(names), len(names))}, one row per name"
        )
    scale = np.nanmax(np.abs(values), initial=0.0)
    odd = np.argwhere((np.abs(values - values.T) > 1e-9 * scale) | (np.isnan(values) != np.isnan(values.T)))
    if len(odd):
        i, j = odd[0]
        raise InputError(
            f"distances: found {values[i, j]:.6g} from {names[i]!r} to {names[j]!r} and {values[j, i]:.6g} back, expected a "
            "symmetric matrix; a directed one must be made symmetric first, such as (d + d.T) / 2"
        )
    if (values < 0).any() or (np.abs(np.diagonal(values)) > 1e-9 * scale).any():
        raise InputError("distances: expected none below 0, and 0 on the diagonal")


def _kept(values: Numbers) -> list[int]:
    """Names with a distance to all others kept: the one that lacks most is left out, until none does."""
    kept = list(range(len(values)))
    while True:
        lacking = np.isnan(values[np.ix_(kept, kept)]).sum(1)
        if not lacking.any():
            return kept
        kept.pop(int(lacking.argmax()))


def _numbered(cut: NDArray[np.int32], order: NDArray[np.int32]) -> NDArray[np.int64]:
    """Cluster numbers in the order of the dendrogram."""
    first = list(dict.fromkeys(cut[order].tolist()))
    return np.array([first.index(c) + 1 for c in cut.tolist()], dtype=np.int64)


def _cophenetic(merges: Numbers, values: Numbers) -> float:
    given = scipy.spatial.distance.squareform(values, checks=False)
    found = np.asarray(scipy.cluster.hierarchy.cophenet(merges))
    if np.ptp(given) == 0 or np.ptp(found) == 0:
        return float("nan")
    return float(np.corrcoef(given, found)[0, 1])
