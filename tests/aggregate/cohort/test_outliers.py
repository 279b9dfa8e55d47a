"""Outliers: false alarms at the level asked for, planted ones found, with the regions that cause them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from aggregate.cohort.made import NAN, matrix
from scipy import stats

from voxplain.aggregate.cohort import Matrix, Outliers, compose, outliers
from voxplain.aggregate.cohort.outliers import QN_EFFICIENCY, _far, _whitened
from voxplain.aggregate.cohort.typical import correlation, standardised, whitening
from voxplain.errors import InputError


def judged(logs: np.ndarray) -> Outliers:
    """(cases, targets, parts) of log amounts."""
    made = matrix(np.exp(logs - 1))
    return outliers(compose(made, limit=1e-9), made)


def clean(kind: str, rng: np.random.Generator, n: int, targets: int, p: int) -> np.ndarray:
    noise = rng.normal(size=(n, targets, p))
    if kind == "factors":  # the same for no two targets
        return noise + np.einsum(
            "ntk,tkp->ntp", rng.normal(size=(n, targets, 2)), rng.normal(size=(targets, 2, p))
        )
    return 0.3 * np.cumsum(noise, -1) if kind == "chain" else noise


@pytest.mark.parametrize(
    ("kind", "n", "p"),
    [
        ("independent", 20, 18),
        ("factors", 20, 18),
        ("chain", 20, 18),
        ("factors", 12, 6),
        ("factors", 60, 18),
    ],
)
def test_clean_cases_are_alarming_as_often_as_the_level_says(kind: str, n: int, p: int) -> None:
    """Also where cases are hardly more than regions, and log-ratios depend on each other."""
    found = judged(clean(kind, np.random.default_rng(0), n, 1600 // n, p))
    assert 0.4 < (found.p <= 0.05).mean() / 0.05 < 1.4
    assert (found.p <= 0.01).mean() / 0.01 < 2
    assert not np.isnan(found.p).any()
    assert (found.q <= 0.05).sum() <= 2


def test_a_planted_case_is_found_with_its_regions() -> None:
    """20 cases, 18 regions, correlated: two regions of one target moved by five standard deviations, against each other."""
    hits, causes = 0, 0
    for seed in range(10):
        logs = clean("factors", np.random.default_rng(seed), 20, 3, 18)
        logs[4, 1, 7] += 5 * np.sqrt(3)
        logs[4, 1, 2] -= 5 * np.sqrt(3)
        found = judged(logs)
        first = found.flagged(0.05)
        hits += bool(first) and (first[0]["case"], first[0]["target"]) == ("c4", "t1")
        causes += set(np.argsort(-found.contribution[4, 1])[:2]) == {2, 7}
        assert found.z[4, 1, 7] > 3 > -3 > found.z[4, 1, 2]
        np.testing.assert_allclose(np.nansum(found.contribution[4, 1]), 1)
    assert hits >= 9
    assert causes >= 8


def test_several_outliers_do_not_hide_each_other() -> None:
    logs = np.random.default_rng(0).normal(size=(20, 1, 10))
    logs[:4, 0, 3] += 12
    found = judged(logs)
    assert {f["case"] for f in found.flagged()} == {"c0", "c1", "c2", "c3"}


def test_patients_without_an_organ_stay_and_are_told() -> None:
    """The published outlier model drops them, who are those that it should find."""
    logs = clean("factors", np.random.default_rng(1), 20, 2, 12)
    logs[5, :, 3] = NAN
    logs[:, :, 11] = NAN
    logs[6, :, 11] = 0.0
    found = judged(logs)
    assert not np.isnan(found.score).any()
    assert found.flags() == [
        {"case": "c5", "missing": ["r3"], "unusual": []},
        {"case": "c6", "missing": [], "unusual": ["r11"]},
    ]
    assert found.prevalence[3] == 0.95
    assert np.isnan(found.z[5, :, 3]).all()
    assert np.isnan(found.z[6, :, 11]).all()  # of one case only: nothing to compare it with
    assert not np.isnan(found.z[4, :, 3]).any()


def test_a_missing_part_moves_no_other_part() -> None:
    """Removing the largest organ changes all shares and all centred log-ratios of the case, but no z of its other parts."""
    logs = np.random.default_rng(2).normal(size=(40, 1, 8)) * 0.2
    logs[:, :, 0] += 6
    whole = judged(logs).z[:, 0]
    logs[3, :, 0] = NAN
    lacking = judged(logs).z[:, 0]
    # The centre over 7 parts instead of 8 moves by the part's own residual over 7, here below 0.3 of a deviation.
    assert np.abs(lacking[3, 1:] - whole[3, 1:]).max() < 0.3
    assert np.abs(np.delete(lacking, 3, 0) - np.delete(whole, 3, 0)).max() < 0.3


def test_the_profile_is_of_the_parts_not_of_who_has_them() -> None:
    """The largest organ is missing in 16 of 40 cases: centred log-ratios have two middles, z of other parts one."""
    logs = np.random.default_rng(9).normal(size=(40, 1, 8)) * 0.2
    logs[:, :, 0] += 6
    whole = standardised(logs[:, 0])
    logs[:16, :, 0] = NAN
    lacking = standardised(logs[:, 0])
    assert np.abs(lacking[:, 1:] - whole[:, 1:]).max() < 0.6


def test_no_case_has_a_part_in_what_it_is_judged_by() -> None:
    z = np.random.default_rng(10).normal(size=(12, 5))
    z[2, 3] = NAN
    found = _whitened(z)
    for i in (0, 2):
        there = ~np.isnan(z[i])
        others = correlation(np.delete(z, i, 0))[np.ix_(there, there)]
        np.testing.assert_allclose(found[i, there], whitening(others) @ z[i, there], rtol=1e-12)
    assert np.isnan(found).sum() == 1


def test_false_alarms_with_missing_parts() -> None:
    rng = np.random.default_rng(3)
    logs = clean("factors", rng, 20, 60, 12)
    logs[:5, :, 8:] = NAN  # a quarter of the cases has eight of twelve
    found = judged(logs)
    assert 0.3 < (found.p[:5] <= 0.05).mean() / 0.05 < 1.6
    assert 0.3 < (found.p[5:] <= 0.05).mean() / 0.05 < 1.6


def test_what_cannot_be_judged_is_nan_and_what_is_all_the_same_is_no_outlier() -> None:
    logs = np.random.default_rng(4).normal(size=(9, 2, 4))
    logs[:2, 1] = NAN  # seven cases of that target
    found = judged(logs)
    assert np.isnan(found.p[:, 1]).all()
    assert not np.isnan(found.p[:, 0]).any()
    same = judged(np.zeros((9, 1, 4)))
    np.testing.assert_array_equal(same.score, 0)
    assert same.flagged() == []
    json.dumps(same.told())


def test_the_answer_does_not_depend_on_scale_or_order() -> None:
    logs = np.random.default_rng(5).normal(size=(15, 1, 6))
    one, two = judged(logs), judged(logs[::-1, :, ::-1] + 3)
    np.testing.assert_allclose(one.score, two.score[::-1], rtol=1e-6)


def test_standardised_by_hand() -> None:
    """Two parts: log-ratios are ± half their difference, so both z are the same but for the sign."""
    difference = np.array([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 30.0, 0.5, 0.25])
    z = standardised(np.stack([difference, np.zeros(9)], 1))
    np.testing.assert_allclose(z[:, 0], -z[:, 1])
    away = (difference - np.median(difference)) / 2
    np.testing.assert_allclose(z[:, 0] / z[6, 0], away / away[6], atol=1e-12)


def test_covariance_is_ledoit_and_wolfs() -> None:
    """b² = 1/n² Σ‖x xᵀ − S‖², d² = ‖S − m I‖², weight b² / d², summed here term by term."""
    rng = np.random.default_rng(6)
    z = rng.normal(size=(14, 5)) * 0.6 + rng.normal(size=(14, 1))
    x = np.clip(z, -2.5, 2.5)
    x = x - x.mean(0)
    s = x.T @ x / 14
    m = np.trace(s) / 5
    b = sum(((np.outer(r, r) - s) ** 2).sum() for r in x) / 14**2
    d = ((s - m * np.eye(5)) ** 2).sum()
    weight = min(b / d, 1.0)
    assert 0.05 < weight < 0.95
    np.testing.assert_allclose(correlation(z), (1 - weight) * s + weight * m * np.eye(5), rtol=1e-12)


def test_one_wild_value_pulls_the_covariance_no_further_than_two_and_a_half() -> None:
    z = np.random.default_rng(7).normal(size=(30, 4))
    z[0] = 2.5
    wild = z.copy()
    wild[0] = 1e6
    np.testing.assert_allclose(correlation(wild), correlation(z), rtol=1e-12)


def test_whitening_undoes_a_covariance() -> None:
    a = np.random.default_rng(8).normal(size=(4, 4))
    w = whitening(a @ a.T + np.eye(4))
    np.testing.assert_allclose(w @ (a @ a.T + np.eye(4)) @ w, np.eye(4), atol=1e-10)
    np.testing.assert_allclose(w, w.T, atol=1e-12)


def test_fewer_parts_vary_more() -> None:
    total = np.array([10.0, 9.0, 11.0, 10.5, 9.5, 8.0, 12.0, 30.0, 15.0])
    parts = np.array([10, 10, 10, 10, 10, 10, 10, 10, 5])
    score, p = _far(total, parts)
    assert score[8] == pytest.approx(score[7] / np.sqrt(2))  # the same mean square, 3, of half the parts
    assert p[8] > p[7]


def test_the_matrix_must_be_the_same_cases() -> None:
    made: Matrix = matrix(np.ones((9, 1, 3)))
    with pytest.raises(InputError, match="other cases"):
        outliers(compose(made), made.pick(cases=["c1"]))


def test_the_p_of_a_score_counts_the_doubt_of_the_median() -> None:
    """t = score / √(1 + π/2n): the median of n normal numbers has the variance π/2n of theirs."""
    total, parts = np.random.default_rng(0).chisquare(4, 9), np.full(9, 4)
    score, p = _far(total, parts)
    expected = stats.t.sf(score / np.sqrt(1 + np.pi / 18), QN_EFFICIENCY * 8)
    np.testing.assert_allclose(p, expected, rtol=1e-12)


def test_a_region_is_unusual_that_fewer_than_half_of_the_cases_have() -> None:
    logs = np.random.default_rng(0).normal(size=(10, 1, 5))
    logs[:6, 0, 3] = NAN  # 4 of 10 have it
    logs[:4, 0, 4] = NAN  # 6 of 10 do
    found = judged(logs)
    np.testing.assert_array_equal(found.unusual[:, 3], [False] * 6 + [True] * 4)
    np.testing.assert_array_equal(found.missing[:, 4], [True] * 4 + [False] * 6)
    assert not found.unusual[:, 4].any() and not found.missing[:, 3].any()
