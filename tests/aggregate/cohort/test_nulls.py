"""Nulls: volume, distance, redrawn weights; what beats them."""

from __future__ import annotations

import json
from itertools import product

import numpy as np
import pytest
from aggregate.cohort.made import NAN, matrix
from scipy import stats

from voxplain.aggregate.cohort import Matrix, beats, by_distance, by_volume, false_discovery
from voxplain.aggregate.cohort.signed_ranks import above_zero
from voxplain.errors import InputError


@pytest.mark.parametrize("x", [[1.0, -2, 3, 4, 5.5], [1.0, 1, -1, 2, 0, 3], [-np.inf, 2, 1, np.inf]])
def test_signed_ranks_by_brute_force(x: list[float]) -> None:
    steps = np.array([v for v in x if v != 0])
    ranks = stats.rankdata(np.abs(steps))
    found = ranks[steps > 0].sum()
    sums = [np.dot(signs, ranks) for signs in product((0, 1), repeat=len(ranks))]
    p, n = above_zero(np.array([*x, NAN])[:, None])
    assert p[0] == pytest.approx(np.mean(np.array(sums) >= found - 1e-9), abs=1e-14)
    assert n[0] == len(steps)


@pytest.mark.parametrize("n", [12, 45, 70, 200])
def test_signed_ranks_are_scipys(n: int) -> None:
    x = np.random.default_rng(n).normal(size=(n, 4)) + 0.15
    method = "exact" if n <= 60 else "approx"
    peer = [
        stats.wilcoxon(x[:, e], alternative="greater", method=method, correction=True).pvalue
        for e in range(4)
    ]
    np.testing.assert_allclose(above_zero(x)[0], peer, rtol=1e-9)


def test_zeros_and_nothing() -> None:
    p, n = above_zero(np.array([[0.0, NAN], [0.0, NAN]]))
    np.testing.assert_array_equal(p, [1.0, NAN])
    np.testing.assert_array_equal(n, [0, 0])


def test_volume_expects_each_regions_share_of_voxels() -> None:
    like = matrix(np.full((2, 2, 3), 1 / 3)).pick(regions=["r2", "r0"])
    counts = matrix([[[10.0, 30, 60], [NAN] * 3], [[10.0, 30, NAN], [10.0, 30, 0]]], statistic="voxels")
    found = by_volume(counts, like)
    assert (found.regions, found.targets) == (like.regions, like.targets)
    np.testing.assert_allclose(found.values, [[[0.6, 0.1]] * 2, [[NAN, 0.25]] * 2])
    with pytest.raises(InputError, match="region 'r9'"):
        by_volume(counts, matrix(np.ones((2, 1, 1)), regions=("r9",)))
    with pytest.raises(InputError, match="other cases"):
        by_volume(counts.pick(cases=["c0"]), like)


def pairs(table: np.ndarray, regions: tuple[str, ...], shells: tuple[str, ...]) -> Matrix:
    """(cases, targets, regions, shells) counts as the rows of `predicted × distance`."""
    names = tuple(f"{r} × {s}" for r in regions for s in shells)
    flat = table.reshape(*table.shape[:2], -1)
    return matrix(flat, statistic="voxels", partition="predicted × distance", regions=names)


def test_distance_spreads_each_shell_evenly_over_its_voxels() -> None:
    """Shells have 0.5, 0.3, 0.2 of the mass and 10, 40, 100 voxels; t is alone in the first."""
    table = np.array([[[[10, 0, 0], [0, 30, 0], [0, 10, 100], [0, 0, 0]]]], dtype=np.float64)
    names, rings = ("t0", "near", "far", "none"), ("0", "0-5", "5+")
    shells = matrix([[[0.5, 0.3, 0.2]]], partition="distance", regions=rings)
    like = matrix([[[0.5, 0.2, 0.3, NAN]]], regions=names)
    found = by_distance(shells, pairs(table, names, rings), like).values[0, 0]
    np.testing.assert_allclose(found, [NAN, 0.3 * 0.75, 0.3 * 0.25 + 0.2, NAN])
    lacking = np.where(table > 0, table, NAN)  # pairs without voxels need no rows
    np.testing.assert_array_equal(by_distance(shells, pairs(lacking, names, rings), like).values[0, 0], found)
    with pytest.raises(InputError, match=r"found region 'liver', expected <region> × <shell>"):
        by_distance(shells, matrix([[[1.0]]], regions=("liver",)), like)
    with pytest.raises(InputError, match=r"region 'other': no predicted × distance row"):
        by_distance(shells, pairs(table, names, rings), matrix([[[1.0]]], regions=("other",)))


def world(cases: int, seed: int, planted: float = 4) -> tuple[Matrix, Matrix, Matrix, Matrix]:
    """A line of voxels: the target in the middle, then regions outwards; attribution falls with distance, and with it alone.

    Region 3 receives ``planted`` times that. Each region's amount varies from case to case.
    """
    rng = np.random.default_rng(seed)
    rings = tuple(f"s{i}" for i in range(7))
    names = tuple(f"r{i}" for i in range(6))
    table = np.zeros((cases, 1, 6, 7))
    table[:, 0, 0, 0] = 20
    for c in range(cases):
        for r in range(1, 6):
            spread = rng.multinomial(60, rng.dirichlet(np.eye(6)[r - 1] * 4 + 0.5))
            table[c, 0, r, 1:] = spread
    amount = table * np.exp(-np.arange(7) / 1.2) * np.exp(0.3 * rng.normal(size=(cases, 1, 6, 1)))
    amount[:, :, 3] *= planted
    amount /= amount.sum((2, 3), keepdims=True)
    mass = matrix(amount.sum(3), targets=("r0",))
    shells = matrix(amount.sum(2), targets=("r0",), partition="distance", regions=rings)
    counts = matrix(table.sum(3), targets=("r0",), statistic="voxels")
    joint = pairs(table, names, rings)
    return mass, shells, counts, Matrix(**{**vars(joint), "targets": ("r0",)})


def test_only_the_planted_region_beats_distance_while_volume_is_beaten_by_what_is_near() -> None:
    mass, shells, counts, joint = world(30, 0)
    volume = beats(mass, {"volume": by_volume(counts, mass)})
    distance = beats(mass, {"distance": by_distance(shells, joint, mass)})
    np.testing.assert_array_equal(volume.mask[0], [True, True, False, True, False, False])
    np.testing.assert_array_equal(distance.mask[0], [False, False, False, True, False, False])
    assert np.isnan(distance.p[0, 0])  # the target inside itself: distance cannot judge
    assert distance.worst[0, 0] == -1
    both = beats(mass, {"volume": by_volume(counts, mass), "distance": by_distance(shells, joint, mass)})
    np.testing.assert_array_equal(both.mask[0], [True, False, False, True, False, False])
    np.testing.assert_array_equal(both.worst[0, :2], [0, 1])
    np.testing.assert_array_equal(both.p, np.fmax(volume.p, distance.p))
    assert both.q[0, 0] == both.p[0, 0]  # its own region is a table of its own
    np.testing.assert_array_equal(both.q[0, 1:], false_discovery(both.p[0, 1:]))
    assert 0.3 < both.logs[0, 3] < np.log(4)  # its own share is part of what its shell expects
    json.dumps(both.told())


def test_distance_is_beaten_by_chance_no_more_than_the_level_says() -> None:
    """Where nothing but distance counts; a region's own luck is part of what is expected of it, so rather less often."""
    every = []
    for seed in range(40):
        mass, shells, _, joint = world(12, seed, planted=1)
        every.append(beats(mass, {"distance": by_distance(shells, joint, mass)}).p[0, 1:])
    assert 0.1 < (np.array(every) <= 0.1).mean() / 0.1 < 1.3


def test_an_exchangeable_null_is_beaten_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(1)
    found = beats(matrix(rng.gamma(4, size=(12, 40, 40))), {"other": matrix(rng.gamma(4, size=(12, 40, 40)))})
    assert 0.7 < (found.p <= 0.05).mean() / 0.05 < 1.2  # exact, so at most the level
    assert found.mask.sum() == 0


def test_names_are_found_by_themselves_and_nothing_is_not_judged() -> None:
    mass = matrix([[[0.5, 0.0, NAN]]] * 6)
    null = matrix([[[0.9, 0.0, 0.2]]] * 6, regions=("r2", "r1", "r0"))
    found = beats(mass, {"null": null})
    np.testing.assert_array_equal(found.p, [[0.5**6, NAN, NAN]])
    assert found.logs[0, 0] == pytest.approx(np.log(2.5))
    zero = beats(mass, {"null": matrix([[[0.0, 0.1, 1.0]]] * 6)})
    np.testing.assert_array_equal(zero.logs[0, :2], [np.inf, -np.inf])
    np.testing.assert_array_equal(zero.p[0, :2], [0.5**6, 1.0])


def test_few_cases_say_that_they_cannot_tell() -> None:
    found = beats(matrix(np.full((4, 1, 1), 9.0)), {"null": matrix(np.ones((4, 1, 1)))})
    assert found.p.item() == found.least == 1 / 16
    assert found.note == "cannot tell: 4 cases, of which the smallest p is 0.062; at least 5 are needed"
    with pytest.raises(InputError, match="found none"):
        beats(matrix([[[1.0]]]), {})
    with pytest.raises(InputError, match="negative"):
        beats(matrix([[[-1.0]]]), {"null": matrix([[[1.0]]])})
    with pytest.raises(InputError, match=r"'null'.*other cases"):
        beats(matrix([[[1.0]]]), {"null": matrix(np.ones((2, 1, 1)))})
