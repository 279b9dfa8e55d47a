"""Clusters of targets."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import pdist, squareform

from voxplain.aggregate.cohort import cluster
from voxplain.aggregate.cohort.tree import silhouette
from voxplain.errors import InputError


def points(*at: float) -> np.ndarray:
    x = np.array(at, dtype=np.float64)
    return np.abs(x[:, None] - x)


def test_two_groups_on_a_line() -> None:
    found = cluster(points(0, 10, 1, 11, 12.5), list("abcde"))
    assert found.clusters.tolist() in ([1, 2, 1, 2, 2], [2, 1, 2, 1, 1])
    assert found.clusters[found.names.index(found.order[0])] == 1
    assert {frozenset(found.order[:2]), frozenset(found.order[:3])} & {frozenset("ac"), frozenset("bde")}
    # Average linkage: d(de, b) = (1.5·1 + …): b and d are 1 apart, e is 1.5 and 2.5 from them: 2; both groups on average
    # (10 + 11 + 12.5 + 9 + 10 + 11.5) / 6.
    np.testing.assert_allclose(found.merges[:, 2], [1, 1, 2, 64 / 6])
    assert found.cluster_of()["a"] == found.cluster_of()["c"] != found.cluster_of()["b"]
    json.dumps(found.told())


def test_cophenetic_correlation_is_scipys() -> None:
    values = pdist(np.random.default_rng(0).normal(size=(9, 3)))
    found = cluster(squareform(values), [str(i) for i in range(9)])
    assert found.cophenetic == pytest.approx(cophenet(linkage(values, "average"), values)[0], abs=1e-12)
    assert np.isnan(
        cluster(1.0 - np.eye(4), list("abcd")).cophenetic
    )  # all equally far: no tree to agree with


def test_silhouette_by_hand() -> None:
    values, cut = points(0, 1, 5, 7, 20), np.array([1, 1, 2, 2, 3])
    # s = 1 − a / b of the two near groups (b to the nearer): a = 1, 1, 2, 2; b = 6, 5, 4.5, 6.5; one alone counts 0.
    expected = (1 - 1 / 6 + 1 - 1 / 5 + 1 - 2 / 4.5 + 1 - 2 / 6.5 + 0) / 5
    assert silhouette(values, cut) == pytest.approx(expected, rel=1e-12)
    assert np.isnan(silhouette(values, np.ones(5, dtype=np.int64)))
    assert cluster(values, list("abcde"), count=3).silhouette == pytest.approx(expected)


def test_the_count_is_that_of_the_largest_silhouette() -> None:
    values = points(0, 0.1, 10, 10.1, 20, 20.1, 30, 30.1)
    assert cluster(values, list("abcdefgh")).clusters.max() == 4
    assert cluster(values, list("abcdefgh"), count=2).clusters.max() == 2


def test_a_directed_matrix_is_refused_since_reading_a_triangle_loses_half() -> None:
    """What `as.dist` of max √m − √m does silently: both triangles are other trees."""
    lower = np.array([[0, 9, 9, 1], [1, 0, 9, 9], [9, 9, 0, 9], [9, 9, 1, 0]], dtype=np.float64)
    names = list("abcd")
    with pytest.raises(InputError, match=r"found 9 from 'a' to 'b' and 1 back, expected a symmetric matrix"):
        cluster(lower, names)
    one, two = (np.tril(m) + np.tril(m).T for m in (lower, lower.T))
    assert (cluster(one, names, count=2).clusters == cluster(two, names, count=2).clusters).sum() < 4
    whole = cluster((lower + lower.T) / 2, names)
    assert whole.order == cluster((lower + lower.T).T / 2, names).order


def test_names_without_distances_are_told_and_not_guessed() -> None:
    values = points(0, 1, 5, 6, 9)
    values[2, [0, 1, 3]] = values[[0, 1, 3], 2] = np.nan
    found = cluster(values, list("abcde"))
    assert (found.names, found.left_out) == (tuple("abde"), ("c",))
    with pytest.raises(InputError, match="found 1 names with distances"):
        cluster(np.where(np.eye(3) == 1, 0.0, np.nan), list("abc"))


@pytest.mark.parametrize(
    ("values", "given", "message"),
    [
        (points(0, 1), {}, "found 2 names"),
        (points(0, 1, 2), {"count": 4}, "found count 4, expected 1 to 3"),
        (-points(0, 1, 2), {}, "none below 0"),
        (points(0, 1, 2) + 1, {}, "0 on the diagonal"),
        (np.zeros((3, 2)), {}, "shape"),
    ],
)
def test_what_is_no_distance(values: np.ndarray, given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cluster(values, list("abc")[: len(values)], **given)
