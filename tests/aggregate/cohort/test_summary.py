"""Means, quartiles, intervals, spread; robust scales."""

from __future__ import annotations

import json

import numpy as np
import pytest
from aggregate.cohort.made import NAN, matrix
from scipy import stats

from voxplain.aggregate.cohort import summarise
from voxplain.aggregate.cohort.bootstrap import interval, redrawn
from voxplain.aggregate.cohort.robust import median, scale
from voxplain.errors import InputError


def test_summary_by_hand_leaves_out_what_is_missing() -> None:
    values = np.array([[[1.0, 5.0, NAN]], [[2.0, NAN, NAN]], [[3.0, NAN, NAN]], [[6.0, NAN, NAN]]])
    errors = np.where(np.isnan(values), np.nan, 0.5)
    found = summarise(matrix(values, errors=errors))
    np.testing.assert_array_equal(found.n, [[4, 1, 0]])
    np.testing.assert_array_equal(found.mean, [[3.0, 5.0, NAN]])
    np.testing.assert_array_equal(found.median, [[2.5, 5.0, NAN]])
    np.testing.assert_array_equal(found.q1, [[1.75, 5.0, NAN]])
    np.testing.assert_array_equal(found.q3, [[3.75, 5.0, NAN]])
    # Squares 4 + 1 + 0 + 9 over 3; less the variance 1/4 that is of measuring.
    np.testing.assert_allclose(found.spread, [[np.sqrt(14 / 3), NAN, NAN]])
    np.testing.assert_allclose(found.between, [[np.sqrt(14 / 3 - 0.25), NAN, NAN]])
    np.testing.assert_allclose(found.variation, [[np.sqrt(14 / 3) / 3, NAN, NAN]])
    assert 1 <= found.low[0, 0] < 2.5  # of resampled means, none of which is below the smallest value
    assert 3.5 < found.high[0, 0] <= 6
    assert np.isnan(found.low[0, 1:]).all()
    assert json.loads(json.dumps(found.told()))["mean"] == [[3.0, 5.0, None]]


def test_spread_that_is_all_error_leaves_none_between_cases() -> None:
    values = np.array([[[1.0]], [[2.0]], [[3.0]]])
    assert summarise(matrix(values, errors=np.full(values.shape, 2.0))).between.item() == 0
    assert np.isnan(summarise(matrix(values)).between.item())


@pytest.mark.parametrize("n", [6, 20])
def test_intervals_cover_what_they_say_also_of_few_cases(n: int) -> None:
    """Plain percentiles would cover 0.87 at 6 cases."""
    values = np.random.default_rng(0).normal(size=(n, 40, 50))
    found = summarise(matrix(values), resamples=1000)
    covered = ((found.low <= 0) & (found.high >= 0)).mean()
    assert 0.93 < covered < 0.97  # ± 4 standard errors of 2000 entries


def test_intervals_are_students_for_many_cases_and_seeded() -> None:
    values = np.random.default_rng(1).gamma(4, size=(150, 1, 3))
    one, again, other = (summarise(matrix(values), resamples=4000, seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(one.low, again.low)
    assert (one.low != other.low).all()
    half = stats.t.ppf(0.975, 149) * values.std(0, ddof=1) / np.sqrt(150)
    np.testing.assert_allclose(one.high - one.low, 2 * half, rtol=0.06)
    wide = summarise(matrix(values), level=0.99)
    assert (wide.low < one.low).all()
    with pytest.raises(InputError, match="level: found 1"):
        summarise(matrix(values), level=1)


def test_cells_are_redrawn_each_by_itself() -> None:
    weights = redrawn([np.array([0, 2]), np.array([1, 3, 4])], 50, 6, seed=0)
    np.testing.assert_array_equal(weights[:, [0, 2]].sum(1), 2)
    np.testing.assert_array_equal(weights[:, [1, 3, 4]].sum(1), 3)
    np.testing.assert_array_equal(weights[:, 5], 0)
    assert weights[:, 0].std() > 0


def test_interval_widens_percentiles_as_hesterberg_says() -> None:
    # n = 5: Φ(√(5/4) · t_{0.025, 4}) = Φ(−3.104): 0.000955 from each side of a uniform grid of replicates.
    tail = stats.norm.cdf(-np.sqrt(1.25) * 2.7764451)
    low, high = interval(np.linspace(0, 1, 100_001)[:, None], np.array([5]), 0.95)
    np.testing.assert_allclose([low[0], high[0]], [tail, 1 - tail], rtol=1e-3)


def brute(values: np.ndarray) -> float:
    """The k-th of the sorted distances of pairs, k = h(h − 1)/2, h = ⌊n/2⌋ + 1."""
    n = len(values)
    h = n // 2 + 1
    pairs = sorted(abs(a - b) for i, a in enumerate(values) for b in values[:i])
    return 2.2191 * pairs[h * (h - 1) // 2 - 1]


def test_qn_is_the_quarter_of_all_pairs() -> None:
    for n, small in ((5, 0.844), (9, 0.872), (12, 12 / 15.8), (13, 13 / 14.4)):
        x = np.random.default_rng(n).normal(size=n)
        assert scale(x[:, None])[0] == pytest.approx(small * brute(x), rel=1e-4)


@pytest.mark.parametrize("n", [8, 20, 41, 300])
def test_scales_are_standard_deviations_of_normals(n: int) -> None:
    found = scale(3 * np.random.default_rng(0).normal(size=(n, 1500)) + 7)
    assert found.mean() == pytest.approx(3, rel=0.03)
    if n == 20:  # 1/√(2 · 20 · 0.82) = 0.17; the MAD would vary by 0.26
        assert found.std() < 3 * 0.21


def test_half_of_the_values_may_be_wild_and_missing_ones_do_not_count() -> None:
    x = np.random.default_rng(0).normal(size=(40, 1))
    wild = np.concatenate([x[:22], np.full((18, 1), 1e9)])
    assert scale(wild)[0] < 5
    lacking = np.concatenate([x, np.full((9, 1), np.nan)])
    assert scale(np.hstack([lacking, np.full((49, 1), np.nan)]))[0] == scale(x)[0]
    assert np.isnan(scale(np.full((3, 1), np.nan))[0])
    np.testing.assert_array_equal(median(np.array([[1.0, NAN], [3.0, NAN], [NAN, NAN]])), [2.0, NAN])
