"""Does confidence predict quality: by hand, against scipy, and with patients drawn again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import spearmanr

from voxplain.errors import InputError
from voxplain.inherent.uncertainty import rejection, relation
from voxplain.inherent.uncertainty.rejection import spearman


def test_the_curve_by_hand():
    """Surest first: qualities 1, 0.5, 0. Kept all: 0.5; two: 0.75; one: 1. Area: (1 + 0.75 + 0.5) / 3."""
    found = rejection(np.array([0.7, 0.9, 0.8]), np.array([0.0, 1.0, 0.5]))
    np.testing.assert_allclose(found.kept, [1, 2 / 3, 1 / 3])
    np.testing.assert_allclose(found.quality, [0.5, 0.75, 1])
    assert found.area == pytest.approx(0.75) and found.rows()[0] == {"kept": 1, "quality": 0.5}


def test_ties_have_the_mean_over_all_their_orders():
    confidence, quality = np.array([3.0, 2, 2, 2, 1]), np.array([0.9, 0.1, 0.6, 0.8, 0.3])
    areas = []
    for order in itertools.permutations([1, 2, 3]):
        kept = quality[[0, *order, 4]]
        areas.append((np.cumsum(kept) / np.arange(1, 6)).mean())
    assert rejection(confidence, quality).area == pytest.approx(np.mean(areas))
    constant = rejection(np.ones(5), quality)
    assert constant.area == pytest.approx(quality.mean()) and constant.kept.tolist() == [1]


def test_weights_are_repetitions():
    rng = np.random.default_rng(0)
    c, q, w = rng.integers(0, 5, 20).astype(float), rng.random(20), rng.integers(0, 4, 20)
    again = np.repeat(np.arange(20), w)
    a, b = rejection(c, q, w), rejection(c[again], q[again])
    assert a.area == pytest.approx(b.area)
    np.testing.assert_allclose(a.quality, b.quality)
    assert spearman(c, q, w) == pytest.approx(spearmanr(c[again], q[again]).statistic)


def test_rows_by_scipy_and_without_cases_that_have_no_dice():
    rng = np.random.default_rng(1)
    c, q = rng.random(50), rng.random(50)
    q[:5] = np.nan
    ids, groups = [f"c{i:02d}" for i in range(50)], [f"p{i // 2:02d}" for i in range(50)]
    rows = {r["metric"]: r for r in relation(c, q, groups, ids, draws=200)}
    rho = rows["spearman with dice"]
    assert rho["value"] == pytest.approx(spearmanr(c[5:], q[5:]).statistic)
    assert rho["low"] < 0 < rho["high"] and rho["cases"] == 45 and rho["patients"] == 23
    order = rng.permutation(50)
    again = relation(c[order], q[order], [groups[i] for i in order], [ids[i] for i in order], draws=200)
    assert again == list(rows.values())


def test_a_confidence_that_knows_is_worth_something():
    q = np.random.default_rng(2).random(80)
    names = [f"c{i:02d}" for i in range(80)]
    knows = {r["metric"]: r for r in relation(q**3, q, names, names, draws=200)}
    assert knows["spearman with dice"]["value"] == pytest.approx(1)
    assert knows["gain of rejection in dice"]["low"] > 0.15
    nothing = {r["metric"]: r for r in relation(np.ones(80), q, names, names, draws=20)}
    assert np.isnan(nothing["spearman with dice"]["value"])
    assert nothing["gain of rejection in dice"]["value"] == pytest.approx(0, abs=1e-12)


def test_slices_of_a_patient_do_not_narrow_the_interval():
    rng = np.random.default_rng(3)
    c, q = np.repeat(rng.random(12), 20), np.repeat(rng.random(12), 20)
    ids = [f"c{i:03d}" for i in range(240)]
    patients = [f"p{i // 20:02d}" for i in range(240)]
    width = [(r := relation(c, q, g, ids, draws=300)[0])["high"] - r["low"] for g in (patients, ids)]
    assert width[0] > 2 * width[1]


@pytest.mark.parametrize(
    ("c", "q", "message"),
    [
        ([0.1, 0.2], [0.1], r"quality: found shape \(1,\)"),
        ([np.nan, 0.2], [0.1, 0.2], "confidence: found NaN"),
        ([0.1, 0.2], [np.nan, np.nan], "quality: found NaN alone"),
    ],
)
def test_what_has_no_curve_is_told(c, q, message):
    with pytest.raises(InputError, match=message):
        rejection(np.array(c), np.array(q))
