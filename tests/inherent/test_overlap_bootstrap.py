"""Overlap by its formula and MONAI; intervals that draw patients and not cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.metrics import compute_dice, compute_iou
from scipy.stats import binomtest

from voxplain.errors import InputError
from voxplain.inherent.bootstrap import (
    Interval,
    intervals,
    mended,
    patients,
    redrawn,
    weighted_mean,
    weighted_median,
)
from voxplain.inherent.overlap import above, dice, dice_at, iou


@pytest.mark.parametrize("shape", [(9, 8), (5, 6, 7)])
@pytest.mark.parametrize("seed", range(3))
def test_overlap_is_that_of_monai(shape, seed):
    rng = np.random.default_rng(seed)
    p, t = rng.random(shape) < 0.4, rng.random(shape) < 0.3
    pair = [torch.from_numpy(m)[None, None].float() for m in (p, t)]
    assert dice(p, t) == pytest.approx(float(compute_dice(*pair)), abs=1e-6)
    assert iou(p, t) == pytest.approx(float(compute_iou(*pair)), abs=1e-6)


def test_conventions_of_empty_masks():
    nothing, something = np.zeros((3, 3), bool), np.eye(3) > 0
    for measure in (dice, iou):
        assert measure(something, something) == 1
        assert measure(nothing, something) == 0
        assert np.isnan(measure(something, nothing)) and np.isnan(measure(nothing, nothing))
        with pytest.raises(InputError, match=r"prediction: found shape \(3, 3\)"):
            measure(something, np.zeros((2, 2), bool))


def test_dice_at_many_thresholds_is_dice_at_each():
    rng = np.random.default_rng(0)
    score, truth = np.round(rng.normal(size=(9, 9)), 1).astype(np.float32), rng.random((9, 9)) < 0.3
    thresholds = np.concatenate([np.unique(score), [-99, 99, 0.05]])
    assert dice_at(score, truth, thresholds).tolist() == [dice(score > t, truth) for t in thresholds]
    assert above(score, thresholds).tolist() == [(score > t).sum() for t in thresholds]
    assert np.isnan(dice_at(score, np.zeros_like(truth), thresholds)).all()


def test_whole_patients_are_drawn():
    code = patients(["b", "a", "b", "c", "a"])
    assert code.tolist() == [1, 0, 1, 2, 0]
    for weights in redrawn(code, 50, seed=0):
        assert weights[0] == weights[2] and weights[1] == weights[4]
        assert weights[0] + weights[1] + weights[3] == 3
    assert list(redrawn(patients(["a", "b", "b"]), 50, seed=0)) == []


def test_the_interval_of_a_mean_is_that_of_the_normal():
    """Of 400 independent patients the mean's interval is ± 1.96 σ / √n."""
    values = np.random.default_rng(0).normal(5, 2, 400)
    groups = [f"p{i:04d}" for i in range(400)]
    (found,) = intervals(lambda w: np.array([weighted_mean(values, w)]), groups, draws=4000)
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.02)
    assert found.high == pytest.approx(values.mean() + half, abs=0.02)


def test_repeated_cases_of_a_patient_are_no_information():
    rng = np.random.default_rng(1)
    values, groups = rng.normal(size=30), [f"p{i:02d}" for i in range(30)]
    many, often = np.repeat(values, 10), [g for g in groups for _ in range(10)]
    (once,) = intervals(lambda w: np.array([weighted_mean(values, w)]), groups, draws=300)
    (tenfold,) = intervals(lambda w: np.array([weighted_mean(many, w)]), often, draws=300)
    (alone,) = intervals(
        lambda w: np.array([weighted_mean(many, w)]), [f"c{i:03d}" for i in range(300)], draws=300
    )
    assert (tenfold.low, tenfold.high) == pytest.approx((once.low, once.high))
    assert alone.high - alone.low < 0.5 * (once.high - once.low)


def test_two_patients_have_no_interval_and_seeds_differ():
    few = intervals(lambda w: np.array([1.0]), ["a", "b"])
    assert np.isnan(few[0].low) and few[0].value == 1
    values, groups = np.arange(20.0), [f"p{i:02d}" for i in range(20)]
    found = [intervals(lambda w: np.array([weighted_mean(values, w)]), groups, seed=s)[0] for s in (0, 0, 1)]
    assert found[0] == found[1] != found[2]


def test_infinite_distances_may_be_an_end():
    values = np.array([1.0, 2.0, np.inf, np.inf, 3.0])
    (found,) = intervals(lambda w: np.array([weighted_median(values, w)]), list("abcde"), draws=500)
    assert found.value == 3 and found.high == np.inf and found.low == 1


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_repetitions(seed):
    rng = np.random.default_rng(seed)
    values, weights = rng.normal(size=12), rng.integers(0, 4, 12)
    values[3] = np.nan
    repeated = np.repeat(values, weights)
    assert weighted_mean(values, weights) == pytest.approx(np.nanmean(repeated))
    assert weighted_median(values, weights) == pytest.approx(np.nanmedian(repeated))
    assert np.isnan(weighted_mean(values, 0 * weights)) and np.isnan(weighted_median(values, 0 * weights))


@pytest.mark.parametrize("count", [3, 20, 100])
def test_none_of_a_few_is_not_none_of_everybody(count):
    for hits in (0, count):
        wanted = binomtest(hits, count).proportion_ci(0.95, "exact")
        value = hits / count
        found = mended(Interval(value, value, value), count, 0.95, rate=True)
        assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))


def test_other_intervals_stay_and_those_of_two_patients_are_none():
    kept, end = Interval(0.5, 0.4, 0.6), Interval(1.0, 0.9, 1.0)
    assert mended(kept, 10, 0.95, rate=True) is kept and mended(end, 10, 0.95, rate=False) is end
    assert np.isnan(mended(kept, 2, 0.95, rate=False).low) and mended(kept, 2, 0.95, rate=False).value == 0.5
