"""Calibration by hand, by its definition, and where the truth is known because labels are drawn from it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hand_made_maps import blobs, maps_of, shuffled
from scipy.special import log_softmax
from sklearn.metrics import brier_score_loss, log_loss

from voxplain.errors import InputError
from voxplain.inherent.evaluate.classification import softmax
from voxplain.inherent.uncertainty import (
    Temperature,
    brier,
    calibration,
    ece,
    negative_log_likelihood,
    reliability,
)


def honest(n=2000, classes=3, scale=1.0, seed=0):
    """Logits whose softmax is the truth: labels are drawn from it; then the logits are made sharper by ``scale``."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, classes))
    labels = (softmax(logits).cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return logits * scale, labels


def as_maps(logits, labels, prefix="c"):
    n = len(labels)
    evidence = [np.zeros((logits.shape[1], 2, 2))] * n
    return maps_of([np.eye(2)] * n).__class__(
        tuple(f"{prefix}{i:05d}" for i in range(n)),
        tuple(f"{prefix}p{i // 4:05d}" for i in range(n)),
        evidence,
        logits,
        labels,
    )


def test_ece_by_hand():
    """Bins of ½: 0.6 right, 0.8 wrong, 0.9 right, 0.7 right → one bin (0.5, 1]: accuracy 3/4, confidence 0.75."""
    p = np.array([[0.6, 0.4], [0.8, 0.2], [0.9, 0.1], [0.3, 0.7]])
    labels = np.array([0, 1, 0, 1])
    assert ece(p, labels, bins=2) == pytest.approx(0)
    # of ten bins (0.5, 0.6], (0.6, 0.7], (0.7, 0.8], (0.8, 0.9]: gaps 0.4, 0.3, 0.8, 0.1
    assert ece(p, labels, bins=10) == pytest.approx((0.4 + 0.3 + 0.8 + 0.1) / 4)
    # two of equal mass: {0.6, 0.7} both right: gap 0.35; {0.8, 0.9} half right: gap 0.35
    assert ece(p, labels, bins=2, binning="mass") == pytest.approx(0.35)
    found = reliability(p, labels, bins=2, binning="mass")
    assert found.edges.tolist() == [0, 0.7, 0.9] and found.count.tolist() == [2, 2]
    assert found.rows()[1] == {
        "low": 0.7,
        "high": 0.9,
        "confidence": pytest.approx(0.85),
        "accuracy": 0.5,
        "cases": 2,
    }


def test_a_certain_network_is_in_the_last_bin():
    p, labels = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1])
    assert ece(p, labels) == 0.5 and ece(p, labels, binning="mass") == 0.5
    assert reliability(p, labels).count.tolist() == [0] * 14 + [2]


@pytest.mark.parametrize("binning", ["width", "mass"])
def test_ties_are_never_parted(binning):
    rng = np.random.default_rng(0)
    confidence = rng.choice([0.5, 0.625, 0.75, 0.875], 200)
    p, labels = np.stack([confidence, 1 - confidence], axis=1), rng.integers(0, 2, 200)
    order = rng.permutation(200)
    assert ece(p, labels, bins=7, binning=binning) == pytest.approx(
        ece(p[order], labels[order], bins=7, binning=binning)
    )
    assert (reliability(p, labels, bins=50, binning="mass").count > 0).all()


@pytest.mark.parametrize("binning", ["width", "mass"])
def test_weights_are_repetitions(binning):
    logits, labels = honest(60)
    weights = np.random.default_rng(1).integers(0, 4, 60)
    p, again = softmax(logits), np.repeat(np.arange(60), weights)
    a = reliability(p, labels, binning=binning, weights=weights).error
    assert a == pytest.approx(reliability(p[again], labels[again], binning=binning).error)


def test_brier_and_likelihood_are_those_of_scikit_learn():
    logits, labels = honest(200)
    p = softmax(logits)
    assert negative_log_likelihood(logits, labels) == pytest.approx(log_loss(labels, p))
    assert brier(p, labels) == pytest.approx(((p - np.eye(3)[labels]) ** 2).sum(axis=1).mean())
    two = softmax(logits[:, :2])
    assert brier(two, labels % 2) == pytest.approx(2 * brier_score_loss(labels % 2, two[:, 1]))
    far = np.array([[0.0, 2000.0]])
    assert negative_log_likelihood(far, np.array([0])) == pytest.approx(2000)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_is_found_again(scale):
    logits, labels = honest(scale=scale)
    maps = as_maps(logits, labels)
    found = Temperature().fit(maps)
    assert found.value == pytest.approx(scale, rel=0.1)
    grid = scale * np.exp(np.linspace(-0.2, 0.2, 201))
    brute = [-log_softmax(logits / t, axis=1)[np.arange(len(labels)), labels].mean() for t in grid]
    assert (
        found.value == pytest.approx(grid[np.argmin(brute)], rel=2e-3)
        and found.nll_after <= min(brute) + 1e-12
    )
    assert found.nll_before == pytest.approx(log_loss(labels, softmax(logits)))


def test_scaling_calibrates_fresh_cases_and_decides_the_same():
    maps, (logits, labels) = as_maps(*honest(scale=4.0)), honest(scale=4.0, seed=1)
    temperature = Temperature().fit(maps)
    before, after = softmax(logits), temperature(logits)
    assert ece(after, labels) < 0.04 < 0.1 < ece(before, labels)
    assert brier(after, labels) < brier(before, labels)
    assert np.array_equal(before.argmax(axis=1), after.argmax(axis=1))


def test_a_temperature_does_not_judge_what_it_has_seen():
    maps = as_maps(*honest(40))
    found = Temperature().fit(maps.take(range(6)))
    with pytest.raises(InputError, match="was fitted on 'c00000'"):
        found.refuse(maps)
    with pytest.raises(InputError, match="was fitted on 'c00006', 'c00007' or their patients"):
        found.refuse(maps.take([6, 7, 8]))  # six cases are one patient and a half
    found.refuse(maps.take([8, 9]))
    assert Temperature.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert Temperature().fit(shuffled(maps)) == Temperature().fit(maps)


def test_what_has_no_temperature_is_told():
    with pytest.raises(InputError, match="every decision is right"):
        Temperature().fit(maps_of([np.eye(2)] * 4, labels=[0, 1, 0, 1]))
    wrong = maps_of([np.eye(2)] * 4, labels=[0, 1, 0, 1], logits=[[0.0, 1], [1.0, 0], [0.0, 1], [1.0, 0]])
    with pytest.raises(InputError, match="say nothing about the labels"):
        Temperature().fit(wrong)
    with pytest.raises(InputError, match="temperature: found 0"):
        Temperature(0.0)


def test_rows_have_intervals_and_no_order():
    maps = blobs(60, (12, 12), per_patient=2)
    rows = calibration(maps, 1.3, draws=50)
    assert rows == calibration(shuffled(maps), 1.3, draws=50)
    p = softmax(maps.logits / 1.3)
    assert {r["metric"]: r["value"] for r in rows} == {
        "ece": pytest.approx(ece(p, maps.labels)),
        "adaptive ece": pytest.approx(ece(p, maps.labels, binning="mass")),
        "brier": pytest.approx(brier(p, maps.labels)),
        "nll": pytest.approx(log_loss(maps.labels, p)),
    }


@pytest.mark.parametrize(
    ("p", "labels", "message"),
    [
        (np.array([[0.5, 0.6]]), [0], "rows that do not sum to 1"),
        (np.array([[-0.5, 1.5]]), [0], "rows that do not sum to 1"),
        (np.array([[0.5, 0.5]]), [0, 1], r"found shape \(1, 2\), expected \(N, K\) with 2 labels"),
    ],
)
def test_what_are_no_probabilities_is_told(p, labels, message):
    for measure in (ece, brier):
        with pytest.raises(InputError, match=message):
            measure(p, np.array(labels))
    with pytest.raises(InputError, match="bins, binning: found 0"):
        ece(np.array([[1.0, 0.0]]), np.array([0]), bins=0)
