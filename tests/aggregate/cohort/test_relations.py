"""Relations of entries and outlier scores with what is known of the cases."""

from __future__ import annotations

import json
from itertools import permutations

import numpy as np
import pytest
from aggregate.cohort.made import NAN, matrix, metadata
from scipy import stats

from voxplain.aggregate.cohort import compose, false_discovery, outliers, relate_entries, relate_outliers
from voxplain.aggregate.cohort.association import associate
from voxplain.aggregate.cohort.partial import partial
from voxplain.errors import InputError


def brute(x: np.ndarray, statistic: object) -> float:
    """Share of all orders of x whose statistic is at least the observed one."""
    found = statistic(x)  # type: ignore[operator]
    return float(np.mean([statistic(np.array(o)) >= found - 1e-9 for o in permutations(x)]))  # type: ignore[operator]


@pytest.mark.parametrize(
    "x", [[3.0, 1, 4, 2, 6, 5], [6.0, 5, 2, 4, 1, 3], [3.0, 1, 1, 2, 6, 6], [-np.inf, 1, 1, 2, 0, 6]]
)
def test_spearman_and_its_exact_p(x: list[float]) -> None:
    y = np.array([1.0, 2, 2, 4, 5, 7])
    effect, p, n = associate(np.array(x)[:, None], y, None, 10_000, seed=0)
    ranks = stats.rankdata(x)
    assert effect[0] == pytest.approx(stats.spearmanr(ranks, y).statistic, abs=1e-12)
    assert p[0] == pytest.approx(
        brute(ranks, lambda o: abs(stats.pearsonr(o, stats.rankdata(y)).statistic)), abs=1e-12
    )
    assert n[0] == 6


def test_categories_by_the_share_of_kruskal_and_wallis() -> None:
    x, groups = np.array([1.0, 5, 2, 2, 9, 7, 3]), np.array([0, 1, 0, -1, 1, 2, 2])
    known = groups >= 0
    effect, p, n = associate(x[:, None], None, groups, 10_000, seed=0)
    parts = [x[groups == k] for k in range(3)]
    assert effect[0] == pytest.approx(stats.kruskal(*parts).statistic / 5, abs=1e-12)
    exact = brute(x[known], lambda o: stats.kruskal(*(o[groups[known] == k] for k in range(3))).statistic)
    assert p[0] == pytest.approx(exact, abs=1e-12)
    assert n[0] == 6


def test_sampled_p_agrees_with_scipys_and_each_entry_has_its_own_cases() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=25)
    x = rng.normal(size=(25, 3)) + 0.5 * y[:, None]
    x[:6, 1] = NAN
    y[20] = NAN
    x[:, 2] = np.round(x[:, 2])
    effect, p, n = associate(x, y, None, 20_000, seed=1)
    for e in range(3):
        known = ~np.isnan(x[:, e]) & ~np.isnan(y)
        peer = stats.spearmanr(x[known, e], y[known])
        assert effect[e] == pytest.approx(peer.statistic, abs=1e-12)
        assert p[e] == pytest.approx(peer.pvalue, rel=0.25, abs=2e-3)
    np.testing.assert_array_equal(n, [24, 18, 24])


def test_no_test_where_there_is_nothing_to_order() -> None:
    x = np.array([[1.0, 7, NAN], [2, 7, 1], [3, 7, 2], [4, 7, 3], [5, 7, NAN]])
    effect, p, _ = associate(x, np.arange(5.0), None, 1000, seed=0)
    np.testing.assert_array_equal(np.isnan(p), [False, True, True])
    np.testing.assert_array_equal(np.isnan(effect), [False, True, True])
    assert np.isnan(associate(x, np.ones(5), None, 1000, seed=0)[1]).all()


def test_levels_and_false_discoveries_where_nothing_is_related() -> None:
    rng = np.random.default_rng(1)
    columns = {f"x{i}": rng.normal(size=15) for i in range(3)}
    found = relate_entries(
        matrix(rng.gamma(1, size=(15, 20, 20))),
        metadata(15, site=list("ABC") * 5, **columns),
        permutations=4999,
    )
    assert 0.7 < (found.p <= 0.05).mean() / 0.05 < 1.3
    assert found.found() == []
    assert found.least == 1 / 5000


def test_a_planted_relation_is_found_in_the_whole_table() -> None:
    rng = np.random.default_rng(2)
    age = rng.uniform(20, 80, 30)
    values = rng.gamma(4, size=(30, 3, 4))
    values[:, 1, 2] += age / 10
    found = relate_entries(matrix(values), metadata(30, age=age, sex=list("MF") * 15))
    assert [(f["column"], f["target"], f["region"]) for f in found.found()] == [("age", "t1", "r2")]
    assert found.found()[0]["effect"] > 0.5
    np.testing.assert_array_equal(found.q, false_discovery(found.p))
    json.dumps(found.told())


def test_dice_of_a_class_is_about_that_target_alone() -> None:
    rng = np.random.default_rng(3)
    values = rng.gamma(4, size=(12, 2, 2))
    meta = metadata(
        12,
        dice=rng.uniform(size=12),
        dice__t1=rng.uniform(size=12),
        id=[f"p{i}" for i in range(12)],
        flat=[1] * 12,
    )
    found = relate_entries(matrix(values), meta)
    assert found.columns == ("dice", "dice:t1")
    np.testing.assert_array_equal(np.isnan(found.p[:, :, 0]), [[False, False], [True, False]])
    assert set(found.left_out) == {"id", "flat"}
    assert "12 categories" in found.left_out["id"]
    with pytest.raises(InputError, match="column 'age'"):
        relate_entries(matrix(values), meta, columns=["age"])
    with pytest.raises(InputError, match="cases are others"):
        relate_entries(matrix(values).pick(cases=["c1"]), meta)


def test_partial_correlation_is_the_textbooks() -> None:
    """ρ_xy.z = (ρ_xy − ρ_xz ρ_yz) / √((1 − ρ_xz²)(1 − ρ_yz²))."""
    rng = np.random.default_rng(4)
    z = rng.normal(size=(40, 2))
    x, y = z + rng.normal(size=(40, 2)), z[:, 0] + rng.normal(size=40)
    rho, p = partial(x, y, z, 2000, seed=0)
    for e in range(2):
        a, b, c = (
            stats.spearmanr(u, v).statistic for u, v in ((x[:, e], y), (x[:, e], z[:, e]), (y, z[:, e]))
        )
        assert rho[e] == pytest.approx((a - b * c) / np.sqrt((1 - b * b) * (1 - c * c)), abs=1e-12)
        freedom = 40 - 3
        t = rho[e] * np.sqrt(freedom / (1 - rho[e] ** 2))
        assert p[e] == pytest.approx(2 * stats.t.sf(abs(t), freedom), rel=0.2, abs=0.01)


def test_partial_p_is_freedman_and_lanes_over_all_orders() -> None:
    """The rival's part of the column stays, the rest is put into every order, and the partial correlation taken anew."""
    x, y, z = (stats.rankdata(v) for v in ([2, 5, 1, 9, 4, 7], [1, 4, 2, 5, 9, 3], [1, 2, 9, 4, 5, 8]))

    def of(column: np.ndarray) -> float:
        a, b, c = (np.corrcoef(u, v)[0, 1] for u, v in ((x, column), (x, z), (column, z)))
        return abs(a - b * c) / np.sqrt((1 - b * b) * (1 - c * c))

    line = np.polyval(np.polyfit(z, y, 1), z)
    exact = np.mean([of(line + np.array(o)) >= of(y) - 1e-9 for o in permutations(y - line)])
    rho, p = partial(x[:, None], y, z[:, None], 720, seed=0)
    assert abs(rho[0]) == pytest.approx(of(y), abs=1e-12)
    assert p[0] == pytest.approx(exact, abs=1e-12)


def test_nothing_is_left_of_what_is_the_rival_itself() -> None:
    z, other = np.arange(8.0), np.array([3.0, 1, 4, 1, 5, 9, 2, 6])
    for entry, column in ((other, z**3), (np.exp(-z), other)):  # the same order as the rival, or its reverse
        rho, p = partial(entry[:, None], column, z[:, None], 100, seed=0)
        assert np.isnan(rho).all()
        assert np.isnan(p).all()


def test_what_a_regions_volume_explains_vanishes() -> None:
    """Age goes with the liver's volume, and its mass with the volume: no relation of its own."""
    rng = np.random.default_rng(5)
    age = rng.uniform(20, 80, 60)
    volume = np.stack([1 + age / 20 + 0.3 * rng.normal(size=60), rng.gamma(4, size=60)], 1)
    values = volume[:, None] * np.exp(0.2 * rng.normal(size=(60, 2, 2)))
    values[:, 1, 1] *= np.exp(age / 40)  # a relation that volume does not explain
    counts = matrix(
        np.stack([np.full_like(volume, NAN), volume], 1), statistic="volume_ml", targets=("t0", "t1")
    )
    found = relate_entries(matrix(values), metadata(60, age=age), volumes=counts)
    assert found.effect[0, 0, 0] > 0.6
    assert found.q[0, 0, 0] < 0.001
    assert abs(found.partial[0, 0, 0]) < 0.3
    assert found.partial_q[0, 0, 0] > 0.05
    assert found.partial[0, 1, 1] > 0.5
    assert found.partial_q[0, 1, 1] < 0.01


def test_outlier_scores_against_dice_with_the_targets_own_volume() -> None:
    rng = np.random.default_rng(6)
    logs = rng.normal(size=(30, 2, 8))
    bad = rng.uniform(0, 5, 30)
    logs[:, 1, 4] += bad
    made = matrix(np.exp(logs), targets=("r0", "other"))
    scores = outliers(compose(made), made)
    volumes = matrix(rng.gamma(4, size=(30, 1, 8)), statistic="voxels", targets=("r0",))
    found = relate_outliers(scores, metadata(30, dice=1 - bad / 10), volumes=volumes)
    assert found.effect.shape == (1, 2, 1)
    assert found.effect[0, 1, 0] == pytest.approx(stats.spearmanr(scores.score[:, 1], 1 - bad / 10).statistic)
    np.testing.assert_array_equal(np.isnan(found.partial[0, :, 0]), [False, True])


def test_false_discovery_is_scipys_and_leaves_out_tests_not_made() -> None:
    p = np.random.default_rng(7).uniform(size=(5, 7)) ** 3
    np.testing.assert_allclose(
        false_discovery(p).ravel(), stats.false_discovery_control(p.ravel()), rtol=1e-12
    )
    p[2, 3] = NAN
    known = ~np.isnan(p)
    np.testing.assert_allclose(false_discovery(p)[known], stats.false_discovery_control(p[known]), rtol=1e-12)
