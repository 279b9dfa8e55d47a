"""Log-ratios, zeros, distances."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from aggregate.cohort.made import NAN, matrix

from voxplain.aggregate.cohort import between_cases, between_targets, compose
from voxplain.errors import InputError

LN2 = np.log(2.0)


def pairwise(x: np.ndarray, y: np.ndarray, parts: int) -> float:
    """Aitchison's own form: d² = 1/S Σ_{i<j} (ln x_i/x_j − ln y_i/y_j)² over shared parts, scaled to all parts' freedom."""
    shared = [i for i in range(parts) if not (np.isnan(x[i]) or np.isnan(y[i]))]
    total = sum((np.log(x[i] / x[j]) - np.log(y[i] / y[j])) ** 2 for i, j in combinations(shared, 2)) / len(
        shared
    )
    return float(np.sqrt(total * (parts - 1) / (len(shared) - 1)))


def test_centred_log_ratios_of_halves_and_quarters() -> None:
    # Logarithms −1, −2, −2 (base 2) have the mean −5/3.
    found = compose(matrix([[[2.0, 1.0, 1.0]]]))
    np.testing.assert_allclose(found.shares[0, 0], [0.5, 0.25, 0.25], rtol=1e-15)
    np.testing.assert_allclose(found.clr[0, 0], np.array([2, -1, -1]) / 3 * LN2, rtol=1e-14)


def test_absent_parts_are_left_out_and_background_on_request() -> None:
    found = compose(matrix([[[2.0, NAN, 1.0], [NAN, NAN, NAN]]]))
    np.testing.assert_allclose(found.shares[0, 0], [2 / 3, NAN, 1 / 3])
    np.testing.assert_allclose(found.clr[0, 0], [LN2 / 2, NAN, -LN2 / 2])
    np.testing.assert_array_equal(found.known, [[True, False]])
    # Renormalised, unlike figures that drop background and leave the rest as it was.
    rest = compose(matrix([[[0.8, 0.15, 0.05]]]), leave_out=["r0"])
    assert rest.parts == ("r1", "r2")
    np.testing.assert_allclose(rest.shares[0, 0], [0.75, 0.25])


def test_zeros_become_a_part_of_the_limit_and_ratios_of_others_stay() -> None:
    # δ = 0.65 · 0.1; what is left, 1 − δ, keeps the proportion 3 : 1.
    found = compose(matrix([[[0.75, 0.0, 0.25]]]), limit=0.1)
    np.testing.assert_allclose(found.shares[0, 0], [0.75 * 0.935, 0.065, 0.25 * 0.935])
    np.testing.assert_array_equal(found.replaced[0, 0], [False, True, False])
    # A share below the limit is not told from zero.
    np.testing.assert_allclose(compose(matrix([[[0.75, 0.09, 0.16]]]), limit=0.1).shares[0, 0, 1], 0.065)
    assert compose(matrix([[[0.75, 0.1, 0.15]]]), limit=0.1).replaced.sum() == 0


def test_a_target_that_received_nothing_has_no_composition() -> None:
    assert not compose(matrix([[[0.0, 0.0]]])).known.any()


@pytest.mark.parametrize(
    ("values", "given", "message"),
    [
        ([[[1.0, -1.0]]], {}, "negative values of mass"),
        ([[[1.0, np.inf]]], {}, "infinite"),
        ([[[1.0, 1.0]]], {"limit": 0.5}, "limit: found 0.5"),
        ([[[1.0, 1.0]]], {"limit": 0.0}, "limit: found 0"),
        ([[[1.0, 1.0]]], {"leave_out": ["r1"]}, "found 1 regions"),
        ([[[1.0, 1.0]]], {"leave_out": ["r9"]}, "region 'r9'"),
    ],
)
def test_what_is_no_composition(values: object, given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        compose(matrix(values), **given)


def test_closing_makes_correlations_that_log_ratios_have_not() -> None:
    """Independent log-normal amounts, the first a hundred times the others: its ups are all other shares' downs.

    Log-ratios of D independent parts of one variance have no correlation but −1 / (D − 1), the least that centring needs:
    cov(clr_i, clr_j) = −σ²/D, var = σ²(1 − 1/D).
    """
    parts = 20
    amounts = np.exp(
        np.random.default_rng(0).normal(size=(4000, 1, parts)) * 0.5 + np.eye(parts)[0] * np.log(100)
    )
    found = compose(matrix(amounts))
    raw = np.corrcoef(found.shares[:, 0], rowvar=False)[0, 1:]
    ratios = np.corrcoef(found.clr[:, 0], rowvar=False)[0, 1:]
    assert raw.max() < -0.25
    np.testing.assert_allclose(ratios.mean(), -1 / (parts - 1), atol=0.01)
    assert np.abs(ratios + 1 / (parts - 1)).max() < 0.06  # 4 standard errors of 1/√4000


def test_distances_are_aitchisons_on_shared_parts() -> None:
    rng = np.random.default_rng(1)
    amounts = rng.uniform(0.1, 1, size=(4, 3, 5))
    amounts[1, :, 2] = NAN
    amounts[2, :, :4] = NAN  # one part left: apart from nobody
    amounts[3, 1] = NAN
    found = compose(matrix(amounts))
    targets, cases = between_targets(found), between_cases(found)
    for t, u in combinations(range(3), 2):
        each = [pairwise(amounts[c, t], amounts[c, u], 5) for c in (0, 1, 3) if not (c == 3 and 1 in (t, u))]
        assert targets.values[t, u] == pytest.approx(np.mean(each), rel=1e-12)
        assert targets.count[t, u] == len(each)
    for c, d in combinations(range(4), 2):
        each = [
            pairwise(amounts[c, t], amounts[d, t], 5)
            for t in range(3)
            if not (t == 1 and d == 3) and c != 2 != d
        ]
        assert cases.count[c, d] == len(each)
        assert (
            cases.values[c, d] == pytest.approx(np.mean(each), rel=1e-12)
            if each
            else np.isnan(cases.values[c, d])
        )
    np.testing.assert_array_equal(targets.values, targets.values.T)
    np.testing.assert_array_equal(np.diagonal(targets.values), 0)


def test_distances_do_not_see_scale_and_common_factors() -> None:
    rng = np.random.default_rng(2)
    amounts = rng.uniform(0.1, 1, size=(3, 4, 6))
    factors = rng.uniform(0.5, 2, size=(3, 1, 6))  # a perturbation that all targets of a case share
    one = between_targets(compose(matrix(amounts)))
    two = between_targets(compose(matrix(amounts * factors * rng.uniform(1, 9, size=(3, 4, 1)))))
    np.testing.assert_allclose(one.values, two.values, rtol=1e-9)


def test_a_missing_organ_brings_nobody_closer() -> None:
    """Without the scale the mean distance of independent compositions falls by √((S − 1) / (D − 1)) = 0.82 here."""
    logs = np.random.default_rng(3).normal(size=(80, 1, 10))
    whole = between_cases(compose(matrix(np.exp(logs)))).values
    lacking = np.exp(logs)
    lacking[40:, :, 7:] = NAN
    part = between_cases(compose(matrix(lacking))).values
    above = np.triu_indices(40, 1)
    ratio = (part[40:, 40:][above] ** 2).mean() / (whole[40:, 40:][above] ** 2).mean()
    assert abs(ratio - 1) < 0.08
    np.testing.assert_allclose(part[:40, :40], whole[:40, :40])
