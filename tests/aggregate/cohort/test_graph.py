"""The graph of dependence, and how far targets look."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from aggregate.cohort.made import NAN, matrix

from voxplain.aggregate.cohort import Beaten, Matrix, beats, cluster, graph, radius_curves
from voxplain.errors import InputError

NAMES = ("bg", "a", "b", "c")


def shares() -> Matrix:
    """Means: a from bg 0.4, a 0.3, b 0.2, c 0.1; b from bg 0, a 0.5, b 0.1, c 0.4. Case 1 has no c."""
    one = [[0.4, 0.3, 0.15, 0.1], [0.0, 0.5, 0.1, 0.4]]
    two = [[0.4, 0.3, 0.25, NAN], [0.0, 0.5, 0.1, NAN]]
    return matrix([one, two], targets=("a", "b"), regions=NAMES)


def beaten(mask: list[list[bool]]) -> Beaten:
    made = beats(shares(), {"null": matrix(np.ones((2, 2, 4)), targets=("a", "b"), regions=NAMES)})
    q = np.where(mask, 0.01, 0.9)
    q[1, 0] = NAN
    return replace(made, mask=np.array(mask), q=q, p=q)


def told(found: object) -> list[tuple[str, str]]:
    return [(e.region, e.target) for e in found.edges]  # type: ignore[attr-defined]


def test_edges_are_chosen_by_density_among_shares_that_count() -> None:
    mass = matrix(
        [[[0.5, 0.3, 0.19, 0.009, 0.001]]], targets=["t"], regions=["big", "mid", "small", "tiny", "rim"]
    )
    density = mass.holding(np.array([[[0.7, 1.5, 4.0, 90.0, 99.0]]]), "density_ratio")
    assert [e.region for e in graph(mass, by=density, strongest=2).edges] == ["small", "mid"]
    assert [e.weight for e in graph(mass, by=density, strongest=2).edges] == [0.19, 0.3]
    assert [e.region for e in graph(mass, strongest=2).edges] == ["big", "mid"]
    assert graph(mass, by=density).edges[-1].region == "big"
    with pytest.raises(InputError, match="other names"):
        graph(mass, by=shares())


def test_edges_are_directed_from_region_to_target_strongest_first() -> None:
    found = graph(shares(), leave_out=["bg"])
    assert told(found) == [("b", "a"), ("c", "a"), ("a", "b"), ("c", "b")]
    np.testing.assert_allclose([e.weight for e in found.edges], [0.2, 0.1, 0.5, 0.4])
    assert [e.n for e in found.edges] == [2, 1, 2, 1]
    assert found.explained == {"a": pytest.approx(1.0), "b": pytest.approx(1.0)}
    nodes = {n.name: n for n in found.nodes}
    assert list(nodes) == ["a", "b", "c"]
    assert nodes["a"].own == pytest.approx(0.3)
    assert np.isnan(nodes["c"].own)
    assert (nodes["c"].is_target, nodes["c"].is_region, nodes["a"].own_beats) == (False, True, None)


def test_the_strongest_and_the_share() -> None:
    assert told(graph(shares(), strongest=1)) == [("bg", "a"), ("a", "b")]
    assert graph(shares(), strongest=1).explained["a"] == pytest.approx(0.4 / 0.7)
    # Of 0.7 on others, bg and b reach 0.6; of 0.9, a alone reaches 0.5 of it.
    assert told(graph(shares(), share=0.6)) == [("bg", "a"), ("b", "a"), ("a", "b"), ("c", "b")]
    assert told(graph(shares(), share=0.55)) == [("bg", "a"), ("a", "b")]
    assert len(told(graph(shares(), share=1.0))) == 5  # an edge of weight 0 is none


def test_only_what_beats_the_nulls_is_an_edge() -> None:
    made = beaten([[True, False, False, True], [False, True, True, False]])
    found = graph(shares(), beaten=made, strongest=None)
    assert told(found) == [("bg", "a"), ("c", "a"), ("a", "b")]
    assert found.edges[0].q == 0.01
    assert found.explained["b"] == pytest.approx(0.5 / 0.9)
    assert {n.name: n.own_beats for n in found.nodes} == {"a": False, "b": True, "bg": None, "c": None}
    with pytest.raises(InputError, match="other names"):
        graph(shares().pick(targets=["a"]), beaten=made)


def test_nodes_know_their_cluster() -> None:
    x = np.array([0.0, 1, 9.0])
    tree = cluster(np.abs(x[:, None] - x), ["a", "c", "b"], count=2)
    found = {n.name: n.cluster for n in graph(shares(), tree=tree).nodes}
    assert found["a"] == found["c"] != found["b"]
    assert found["bg"] == 0
    json.dumps(graph(shares(), tree=tree).told())


@pytest.mark.parametrize(
    ("given", "message"),
    [({"strongest": 0}, "strongest"), ({"share": 1.5}, "share"), ({"share": 0}, "share")],
)
def test_impossible_graphs(given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        graph(shares(), **given)
    with pytest.raises(InputError, match="negative means"):
        graph(matrix([[[-1.0, 1.0]]]))


def test_radius_curves_by_hand() -> None:
    """Shells to 0, 10 and 30 mm. Half of (0.2, 0.6, 0.2) is reached halfway through the second: 5 mm."""
    values = [[[0.2, 0.6, 0.2], [1.0, 1.0, 2.0]], [[0.5, NAN, 0.5], [NAN] * 3], [[0.0, 0.0, 1.0], [0.0] * 3]]
    found = radius_curves(matrix(values, partition="distance"), edges=[0, 10, 30])
    np.testing.assert_allclose(found.curves[:, 0], [[0.2, 0.8, 1], [0.5, 0.5, 1], [0, 0, 1]])
    np.testing.assert_allclose(found.curves[0, 1], [0.25, 0.5, 1])
    assert np.isnan(found.curves[1:, 1]).all()
    np.testing.assert_array_equal(found.n, [3, 1])
    np.testing.assert_allclose(found.radius, [[5, 10], [0, NAN], [20, NAN]])
    np.testing.assert_allclose(found.median[0], [0.2, 0.5, 1])
    np.testing.assert_allclose(found.q1[0], [0.1, 0.25, 1])
    np.testing.assert_allclose(found.q3[0], [0.35, 0.65, 1])
    np.testing.assert_allclose(found.radius_quartiles, [[2.5, 10], [5, 10], [12.5, 10]])
    plain = radius_curves(matrix(values))
    np.testing.assert_array_equal(plain.edges, [1, 2, 3])
    assert plain.radius[0, 0] == pytest.approx(1.5)
    assert radius_curves(matrix(values), edges=[0, 10, 30], half=0.9).radius[0, 0] == pytest.approx(20)
    json.dumps(found.told())


def test_radii_in_an_open_shell_are_beyond_all_edges() -> None:
    names = ("inside", "0-5 mm", ">5 mm")
    values = [[[0.0, 0.2, 0.8]], [[0.0, 1.0, 0.0]], [[0.5, 0.5, 0.0]], [[0.1, 0.2, 0.7]]]
    found = radius_curves(matrix(values, regions=names))
    np.testing.assert_array_equal(found.edges, [0, 5, np.inf])
    np.testing.assert_allclose(found.radius[:, 0], [np.inf, 2.5, 0, np.inf])
    np.testing.assert_allclose(found.radius_quartiles[:, 0], [1.875, np.inf, np.inf])  # of 0, 2.5, ∞, ∞


@pytest.mark.parametrize(
    ("values", "given", "message"),
    [
        ([[[1.0, 1.0]]], {"edges": [1]}, "edges"),
        ([[[1.0, 1.0]]], {"edges": [2, 1]}, "edges"),
        ([[[1.0, 1.0]]], {"edges": [1, np.nan]}, "edges"),
        ([[[1.0, 1.0]]], {"half": 1}, "half"),
        ([[[1.0, -1.0]]], {}, "negative"),
    ],
)
def test_impossible_curves(values: object, given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        radius_curves(matrix(values), **given)
