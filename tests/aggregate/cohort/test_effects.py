"""Measured effects against none, and tables against measured effects."""

from __future__ import annotations

import numpy as np
import pytest
from aggregate.cohort.made import NAN, matrix
from scipy import stats

from voxplain.aggregate.cohort import false_discovery, signed
from voxplain.aggregate.cohort.networks import WEIGHTS
from voxplain.aggregate.cohort.truthful import CHANCE, SIZES, difference, trial


def test_effects_of_one_sign_are_wilcoxons_corrected_over_the_table() -> None:
    x = np.random.default_rng(0).normal(size=(9, 2, 3))
    x[:, 0, 1] += 3
    x[:, 1, 2] -= 3
    found = signed(matrix(x, statistic="shapley"))
    peer = np.array([[stats.wilcoxon(x[:, t, r]).pvalue for r in range(3)] for t in range(2)])
    np.testing.assert_allclose(found.p, peer, rtol=1e-12)
    np.testing.assert_array_equal(found.q, false_discovery(found.p))
    assert np.argwhere(found.mask).tolist() == [[0, 1], [1, 2]]
    assert found.least == 2 / 2**9 and found.possible


def test_five_cases_cannot_tell_a_sign() -> None:
    """2 / 2⁵ is above 0.05."""
    found = signed(matrix(np.ones((5, 1, 1))))
    assert not found.possible and found.p.item() == found.least == 1 / 16
    assert signed(matrix(np.ones((6, 1, 1)))).possible


def test_effects_of_no_sign_are_called_no_more_than_the_level_says() -> None:
    found = [signed(matrix(np.random.default_rng(s).normal(size=(8, 5, 5)))).mask.any() for s in range(200)]
    assert np.mean(found) <= 0.08


def test_a_table_that_knows_the_network_beats_all_three() -> None:
    rng = np.random.default_rng(0)
    agreement = 0.8 + 0.05 * rng.normal(size=(8, 4))
    agreement[0, 2] = NAN  # a target that a case has not
    chance, sizes = np.full((8, 4), 0.4), np.full((8, 4), 0.5)
    redrawn = 0.3 + 0.05 * rng.normal(size=(8, 4))
    found = trial(agreement, chance, sizes, [redrawn])
    assert found.p[CHANCE] == found.p[SIZES] == 1 / 2**8  # all eight cases are above
    steps = np.nanmean(agreement - redrawn, 1)
    t = steps.mean() / (steps.std(ddof=1) * np.sqrt(1 + 1 / 8))
    assert found.p[WEIGHTS] == pytest.approx(stats.t.sf(t, 7))
    assert found.worst == max(found.p.values()) and found.p[found.hardest] == found.worst
    assert found.cases == 8


@pytest.mark.parametrize("null", [CHANCE, SIZES, WEIGHTS])
def test_what_reaches_no_more_than_one_null_is_not_faithful(null: str) -> None:
    rng = np.random.default_rng(1)
    own = 0.6 + 0.05 * rng.normal(size=(10, 3))
    low = 0.1 + 0.05 * rng.normal(size=(10, 3))
    same = {
        name: own + 0.02 * rng.normal(size=(10, 3)) if name == null else low
        for name in (CHANCE, SIZES, WEIGHTS)
    }
    found = trial(own, same[CHANCE], same[SIZES], [same[WEIGHTS]])
    assert found.hardest == null and found.worst > 0.05


def test_one_redrawn_network_cannot_judge() -> None:
    one = np.array([[0.0]] + [[NAN]] * 5)
    found = trial(np.full((6, 1), 0.9), np.zeros((6, 1)), np.zeros((6, 1)), [one])
    assert found.p[CHANCE] == 1 / 2**6
    assert np.isnan(found.p[WEIGHTS]) and np.isnan(found.worst) and found.hardest == WEIGHTS
    assert WEIGHTS not in trial(np.full((2, 1), 0.9), np.zeros((2, 1)), np.zeros((2, 1))).p


def test_two_methods_are_compared_case_by_case() -> None:
    a = np.random.default_rng(2).normal(size=(9, 3))
    b = a - 0.2 + 0.3 * np.random.default_rng(3).normal(size=(9, 3))
    steps = (a - b).mean(1)
    mean, p, n = difference(a, b)
    assert (mean, n) == (pytest.approx(steps.mean()), 9)
    assert p == pytest.approx(stats.wilcoxon(steps).pvalue)
    assert difference(b, a)[1] == pytest.approx(p)
    assert difference(a, a)[:2] == (0.0, 1.0)
    assert difference(a, np.full_like(a, NAN))[2] == 0


def test_four_cases_cannot_tell_whatever_they_show() -> None:
    """1/2⁴ is above 0.05, so that "does not beat chance" would be said of perfect agreement."""
    found = trial(np.full((4, 1), 0.99), np.zeros((4, 1)), np.zeros((4, 1)))
    assert np.isnan(found.worst)
    assert trial(np.full((5, 1), 0.99), np.zeros((5, 1)), np.zeros((5, 1))).worst == 1 / 2**5


def test_differences_that_do_not_vary_say_nothing_of_chance() -> None:
    found = trial(np.full((6, 1), 1.0), np.zeros((6, 1)), np.zeros((6, 1)), [np.full((6, 1), 0.8)])
    assert np.isnan(found.p[WEIGHTS])
