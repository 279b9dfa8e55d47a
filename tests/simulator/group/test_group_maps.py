"""Tests over subjects against SciPy, brute force and what chance must do."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_ind

from voxplain.errors import InputError
from voxplain.simulator.group import agreement, group_difference, group_map, permuting

RNG = np.random.default_rng(3)


def test_t_is_students():
    x = RNG.normal(0.3, 1.0, (9, 4, 5))
    assert np.allclose(group_map(x, permutations=9).t, ttest_1samp(x, 0).statistic, rtol=1e-12)
    y = RNG.normal(0.0, 1.0, (7, 4, 5))
    assert np.allclose(group_difference(x, y, permutations=9).t, ttest_ind(x, y).statistic, rtol=1e-12)


def test_all_sign_flips_are_counted():
    x = RNG.normal(0.5, 1.0, (6, 8))
    found = group_map(x)
    t = np.array(
        [np.abs(ttest_1samp(np.array(s)[:, None] * x, 0).statistic) for s in product((1, -1), repeat=6)]
    )
    seen = np.abs(found.t)
    assert found.exact and found.least == 2 / 64
    assert np.allclose(found.p, (t >= seen - 1e-9).mean(0))
    assert np.allclose(found.p_any, (t.max(1)[:, None] >= seen - 1e-9).mean(0))


def test_all_exchanges_are_counted():
    x = RNG.normal(0.0, 1.0, (7, 6))
    x[:3] += 1.5
    found = group_difference(x[:3], x[3:])
    t = []
    for chosen in combinations(range(7), 3):
        rest = [i for i in range(7) if i not in chosen]
        t.append(np.abs(ttest_ind(x[list(chosen)], x[rest]).statistic))
    seen = np.abs(found.t)
    assert found.exact and found.subjects == (3, 4)
    assert np.allclose(found.p, (np.array(t) >= seen - 1e-9).mean(0))
    assert np.allclose(found.p_any, (np.array(t).max(1)[:, None] >= seen - 1e-9).mean(0))


@pytest.mark.parametrize("rounds", [63, 200])
def test_pieces_change_nothing(monkeypatch, rounds):
    x = RNG.normal(0.2, 1.0, (9, 50))
    whole = group_map(x, permutations=rounds)
    monkeypatch.setattr(permuting, "CELLS", 64)
    parts = group_map(x, permutations=rounds)
    assert np.array_equal(whole.p, parts.p) and np.array_equal(whole.p_any, parts.p_any)


def test_drawn_flips_are_about_the_exact_ones_and_never_zero():
    x = RNG.normal(0.4, 1.0, (11, 30))
    exact, drawn = group_map(x, permutations=2**11), group_map(x, permutations=1500)
    assert exact.exact and not drawn.exact and drawn.p.min() >= 1 / 1501
    assert np.abs(exact.p - drawn.p).max() < 0.06  # 4.6 standard errors of 1500 draws
    assert np.array_equal(drawn.p, group_map(x, permutations=1500).p)
    assert not np.array_equal(drawn.p, group_map(x, permutations=1500, seed=1).p)


def test_chance_is_called_as_often_as_said():
    """Of 300 cohorts without an effect, 5 % have any voxel called (binomial: at most 26 in 99.9 %), smooth or not."""
    called = 0
    for _ in range(300):
        x = RNG.normal(size=(10, 40))
        x = x + np.roll(x, 1, 1) + np.roll(x, 2, 1)
        called += bool(group_map(x, permutations=199).found().any())
    assert 3 <= called <= 28


def test_an_effect_is_found_where_it_is_and_a_mask_spares_corrections():
    x = RNG.normal(size=(12, 6, 6))
    x[:, 2, 3] += 2.5
    found = group_map(x)
    assert np.argwhere(found.found()).tolist() == [[2, 3]]
    mask = np.zeros((6, 6), dtype=bool)
    mask[2] = True
    small = group_map(x, mask)
    assert np.isnan(small.p[0]).all() and not np.isnan(small.p[2]).any()
    assert (small.p_any[2] <= found.p_any[2]).all()


def test_places_where_nobody_differs_are_not_tested():
    x = np.zeros((6, 3))
    x[:, 0] = RNG.normal(3, 1, 6)
    x[:, 1] = 0.7  # all alike: an infinite t, and the smallest p
    found = group_map(x)
    assert np.isnan(found.t[2]) and np.isnan(found.q[2]) and found.mean[2] == 0
    assert np.isinf(found.t[1]) and found.p[1] == found.p_any[1] == found.least
    same = group_difference(x[:3], x[3:])
    assert np.isnan(same.p[1]) and np.isnan(same.p[2]) and not np.isnan(same.p[0])


def test_few_subjects_cannot_show_anything():
    assert not group_map(RNG.normal(size=(5, 2))).possible  # 2 of 32 sign flips: 0.0625
    assert group_map(RNG.normal(size=(6, 2))).possible


def test_agreement_is_pearsons():
    maps = RNG.normal(size=(4, 5, 6))
    r = np.corrcoef(maps.reshape(4, -1))
    found = agreement(maps)
    assert np.allclose(found.pairs, [r[a, b] for a, b in combinations(range(4), 2)])
    assert found.least == min(found.pairs)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: group_map([np.zeros(3)]), "found 1 subjects"),
        (lambda: group_map([np.zeros(3), np.zeros(4)]), r"maps\[1\]: found shape \(4,\)"),
        (lambda: group_map([np.zeros(3), np.full(3, np.nan)]), r"maps\[1\]: found NaN"),
        (lambda: group_map(np.ones((3, 4)), np.zeros(4)), "nothing is inside"),
        (lambda: group_map(np.ones((3, 4)), np.ones(5)), "mask: found shape"),
        (lambda: group_map(np.ones((3, 4)), np.full(4, 2)), "other than 0 and 1"),
        (lambda: group_difference([], [np.ones(3)] * 3), "found 0 and 3"),
        (lambda: agreement([np.ones(3), np.arange(3.0)]), r"maps\[0\]: the same everywhere"),
    ],
)
def test_what_cannot_be_tested_is_said(call, words):
    with pytest.raises(InputError, match=words):
        call()
