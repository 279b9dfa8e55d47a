"""Groups of cases: exact tests, corrections, strata, intervals, and what tiny groups can say."""

from __future__ import annotations

import json
from itertools import permutations

import numpy as np
import pytest
from aggregate.cohort.made import NAN, matrix
from scipy import stats

from voxplain.aggregate.cohort import compare_groups
from voxplain.aggregate.cohort.arrangements import arrangements, shuffles
from voxplain.aggregate.cohort.groups import _statistic, _within
from voxplain.errors import InputError

SITES = list("AAAABBBB")


def values(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def test_two_groups_have_the_exact_p_of_scipy() -> None:
    x = values(0, 8, 1, 2)
    x[4:, 0, 1] += 1.5
    found = compare_groups(matrix(x), SITES)
    for e in range(2):
        peer = stats.permutation_test(
            (x[:4, 0, e], x[4:, 0, e]), lambda a, b: abs(a.mean() - b.mean()), alternative="greater"
        )
        assert found.p[0, e] == pytest.approx(peer.pvalue, abs=1e-12)
    assert (found.exact, found.total, found.least) == (True, 70, 2 / 70)
    assert found.groups == ("A", "B")
    assert found.sizes == (4, 4)
    json.dumps(found.told())


def test_three_groups_and_the_largest_statistic_by_brute_force() -> None:
    x = values(1, 6, 1, 3)
    x[:2, 0, 2] += 3
    labels = list("AABBCC")
    found = compare_groups(matrix(x), labels)

    total = ((x - x.mean(0)) ** 2).sum((0, 1))

    def f(o: tuple[int, ...]) -> np.ndarray:
        between = sum(2 * (x[list(o[k : k + 2]), 0].mean(0) - x[:, 0].mean(0)) ** 2 for k in (0, 2, 4))
        return (between / 2) / ((total - between) / 3)

    peer = [stats.f_oneway(x[:2, 0, e], x[2:4, 0, e], x[4:, 0, e]).statistic for e in range(3)]
    np.testing.assert_allclose(f((0, 1, 2, 3, 4, 5)), peer, rtol=1e-9)
    every = np.array([f(o) for o in permutations(range(6))])
    for e in range(3):
        assert found.p[0, e] == pytest.approx((every[:, e] >= every[0, e] - 1e-9).mean(), abs=1e-12)
        assert found.p_any[0, e] == pytest.approx((every.max(1) >= every[0, e] - 1e-9).mean(), abs=1e-12)
        between = every[0, e] * 2
        assert found.share[0, e] == pytest.approx(
            between / (between + 3), rel=1e-9
        )  # η² of F with 2 and 3 degrees
    assert (found.total, found.least) == (90, 6 / 90)  # 6! / 2!³, of which 3! name the same three groups
    assert [(d.first, d.second) for d in found.differences] == [("A", "B"), ("A", "C"), ("B", "C")]


def test_many_cases_are_sampled_with_a_seed() -> None:
    x = values(2, 30, 1, 40)
    labels = ["A"] * 15 + ["B"] * 15
    one, again, other = (compare_groups(matrix(x), labels, permutations=1999, seed=s) for s in (0, 0, 3))
    np.testing.assert_array_equal(one.p, again.p)
    assert (one.p != other.p).any()
    assert not one.exact
    assert one.least == 1 / 2000
    np.testing.assert_allclose(one.p[0], stats.ttest_ind(x[:15, 0], x[15:, 0]).pvalue, atol=0.04)


def test_false_alarms_of_any_entry() -> None:
    """Shares that depend on each other: the largest statistic knows, and reaches the level."""
    rng = np.random.default_rng(3)
    alarms = []
    for _ in range(150):
        x = rng.normal(size=(12, 1, 1)) + 0.3 * rng.normal(size=(12, 2, 6))
        alarms.append(
            compare_groups(matrix(x), ["A"] * 6 + ["B"] * 6, permutations=199, resamples=1).p_any.min() <= 0.1
        )
    assert 0.04 < np.mean(alarms) < 0.18  # ± 3 standard errors


def test_a_planted_difference_is_found_alone() -> None:
    x = values(4, 24, 4, 5)
    x[12:, 2, 3] += 3
    found = compare_groups(matrix(x), ["A"] * 12 + ["B"] * 12)
    (one,) = found.found()
    assert (one["target"], one["region"], one["groups"]) == ("t2", "r3", ["A", "B"])
    assert one["low"] < 3 < one["high"]
    assert one["p_any"] < 0.01
    assert found.note == ""


def test_size_is_hedges_and_the_interval_covers() -> None:
    x = values(5, 16, 40, 40)
    found = compare_groups(matrix(x), ["A"] * 8 + ["B"] * 8, permutations=9, resamples=1000).differences[0]
    a, b = x[:8, 0, 0], x[8:, 0, 0]
    pooled = np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    assert found.difference[0, 0] == pytest.approx(b.mean() - a.mean())
    assert found.size[0, 0] == pytest.approx((b.mean() - a.mean()) / pooled * (1 - 3 / (4 * 14 - 1)))
    covered = ((found.low <= 0) & (found.high >= 0)).mean()
    assert 0.93 < covered < 0.975  # 1600 entries


def test_a_confounder_explains_a_difference_away() -> None:
    """Scanner X shifts the entry and is mostly used at site B. Within scanners, sites do not differ."""
    rng = np.random.default_rng(6)
    site = ["A"] * 20 + ["B"] * 20
    scanner = ["X"] * 3 + ["Y"] * 17 + ["X"] * 14 + ["Y"] * 6
    shift = np.array([s == "X" for s in scanner]) * 5.0
    x = rng.normal(size=(40, 1, 2)) + shift[:, None, None]
    x[:, 0, 1] += np.array([s == "B" for s in site]) * 2.5
    plain, within = (compare_groups(matrix(x), site, strata=s) for s in (None, scanner))
    assert plain.p[0, 0] < 0.01
    assert within.p[0, 0] > 0.05
    assert within.p[0, 1] < 0.001
    assert within.strata == ("X", "Y")
    # The slope of the site in a regression with a constant per scanner.
    design = np.stack([[s == "B" for s in site], [s == "X" for s in scanner], [s == "Y" for s in scanner]], 1)
    slope = np.linalg.lstsq(design.astype(np.float64), x[:, 0], rcond=None)[0][0]
    np.testing.assert_allclose(within.differences[0].difference[0], slope, rtol=1e-9)


def test_strata_by_brute_force() -> None:
    """2 × 3 arrangements: stratum 1 has two cases of each one group, stratum 2 one of B among three."""
    x = np.array([1.0, 2.0, 5.0, 6.0, 10.0])
    labels, strata = list("ABAAB"), list("11222")
    found = compare_groups(matrix(x[:, None, None]), labels, strata=strata)
    centred = np.array([-0.5, 0.5, -2, -1, 3])

    def between(of_b: tuple[int, int]) -> float:
        b = centred[list(of_b)].sum()
        return b**2 / 2 + b**2 / 3

    every = [between((i, j)) for i in (0, 1) for j in (2, 3, 4)]
    assert found.total == 6
    assert found.p.item() == np.mean(np.array(every) >= between((1, 4)) - 1e-9)


def test_missing_regions_are_compared_themselves_and_drop_nobody() -> None:
    x = values(7, 20, 2, 3)
    x[10:18, :, 1] = NAN
    found = compare_groups(matrix(x), ["A"] * 10 + ["B"] * 10)
    assert found.sizes == (10, 10)
    # 8 of 10 lack it at B, none at A: Fisher's exact p of that table.
    exact = stats.fisher_exact([[10, 0], [2, 8]]).pvalue
    assert found.presence_p[1] == pytest.approx(exact, abs=1e-3)
    assert np.isnan(found.presence_p[[0, 2]]).all()
    assert not np.isnan(found.p).any()
    x[10:, :, 1] = NAN
    assert np.isnan(
        compare_groups(matrix(x), ["A"] * 10 + ["B"] * 10).p[:, 1]
    ).all()  # one group left: nothing to compare


def test_unknown_labels_are_told_and_constant_entries_not_tested() -> None:
    x = values(8, 9, 1, 2)
    x[:, 0, 1] = 0.1 + 0.2
    found = compare_groups(matrix(x), [*SITES, None])
    assert found.left_out == ("c8",)
    np.testing.assert_array_equal(np.isnan(found.p), [[False, True]])
    np.testing.assert_array_equal(np.isnan(found.share), [[False, True]])


def test_tiny_groups_say_what_they_cannot_tell() -> None:
    x = values(9, 4, 1, 1)
    x[2:] += 100
    found = compare_groups(matrix(x), list("AABB"))
    assert found.p.item() == found.least == 2 / 6
    assert found.note.startswith(
        "cannot tell: 2 of A, 2 of B; the smallest p that any outcome could have is 0.33"
    )
    assert np.isnan(found.differences[0].low).all()
    some = compare_groups(matrix(values(9, 8, 2, 2)), SITES)
    assert some.note.startswith("a single entry cannot be told among 4 by q")
    assert compare_groups(matrix(values(9, 8, 1, 1)), SITES).note == ""


@pytest.mark.parametrize(
    ("groups", "given", "message"),
    [
        (SITES[:3], {}, "groups: found 3 labels, expected 8"),
        (["A"] * 8, {}, "found 1 among 8 known labels"),
        (SITES, {"strata": ["x"]}, "strata: found 1 labels"),
    ],
)
def test_labels_that_are_no_groups(groups: list[str], given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        compare_groups(matrix(values(0, 8, 1, 1)), groups, **given)
    with pytest.raises(InputError, match="at most 12"):
        compare_groups(matrix(values(0, 13, 1, 1)), [f"s{i}" for i in range(13)])


def test_arrangements_are_all_and_distinct() -> None:
    labels, strata = np.array([0, 1, 2, 0, 1, 1, 0]), np.array([0, 0, 0, 0, 1, 1, 1])
    found = arrangements(labels, strata, 1000, seed=0)
    assert found.total == len(found.labels) == len({tuple(w) for w in found.labels.tolist()}) == 12 * 3
    for s in (0, 1):
        np.testing.assert_array_equal(
            np.sort(found.labels[:, strata == s]), np.tile(np.sort(labels[strata == s]), (36, 1))
        )
    few = arrangements(labels, strata, 10, seed=0)
    assert (few.exact, len(few.labels)) == (False, 11)
    np.testing.assert_array_equal(few.labels[0], labels)
    np.testing.assert_array_equal(np.sort(few.labels[:, :4]), np.tile([0, 0, 1, 2], (11, 1)))
    assert len({tuple(o) for o in shuffles(4, 24, seed=0)[0].tolist()}) == 24
    assert shuffles(4, 23, seed=0)[1] is False


def test_the_statistic_is_the_f_of_a_linear_model_with_strata() -> None:
    """Residual degrees of freedom: cases less strata less groups but one, of each entry's own cases and strata."""
    x = values(3, 12, 2)
    x[[0, 1, 2], 1] = np.nan  # the second entry lacks a whole stratum
    stratum, labels = np.repeat([0, 1, 2, 3], 3), np.array([0, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 1])
    there = ~np.isnan(x)
    centred, layers = _within(x, there, stratum)
    # the groups' means as they stand within strata: between of centred values, as the function defines it
    found = _statistic(centred, there, (centred**2).sum(0), labels[None], 2, layers)[1][0]
    for e, strata in enumerate((4, 3)):
        mine, group = centred[there[:, e], e], labels[there[:, e]]
        between = sum(mine[group == k].sum() ** 2 / (group == k).sum() for k in (0, 1))
        inside = (mine**2).sum() - between
        assert found[e] == pytest.approx(between / (inside / (len(mine) - strata - 1)))
