"""Methods in the order of their likeness, and those that show the same."""

from __future__ import annotations

import numpy as np
import scipy

from voxplain.report.study.page import AgreementMatrix, Numbers

NEAR = 0.95
_UNKNOWN = 2.0  # farther than any two maps that do not correlate


def order(found: AgreementMatrix) -> list[int]:
    """Positions of the methods, like beside like: average linkage of 1 − likeness, leaves turned for the best order."""
    if len(found.names) < 3:
        return list(range(len(found.names)))
    distance = _distances(found.matrix)
    tree = scipy.cluster.hierarchy.optimal_leaf_ordering(
        scipy.cluster.hierarchy.linkage(distance, "average"), distance
    )
    return [int(i) for i in scipy.cluster.hierarchy.leaves_list(tree)]


def near_duplicates(found: AgreementMatrix, least: float = NEAR) -> list[tuple[str, ...]]:
    """Groups in which every two methods are alike by at least so much (complete linkage)."""
    if len(found.names) < 2:
        return []
    tree = scipy.cluster.hierarchy.linkage(_distances(found.matrix), "complete")
    labels = scipy.cluster.hierarchy.fcluster(tree, 1 - least + 1e-9, "distance")
    groups = [
        tuple(name for name, own in zip(found.names, labels, strict=True) if own == label)
        for label in dict.fromkeys(labels.tolist())
    ]
    return [group for group in groups if len(group) > 1]


def _distances(matrix: Numbers) -> Numbers:
    distance = np.where(np.isfinite(matrix), np.maximum(1 - matrix, 0.0), _UNKNOWN)
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0.0)
    return np.asarray(scipy.spatial.distance.squareform(distance, checks=False))
