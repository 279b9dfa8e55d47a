"""Decisions against scikit-learn, class by class, also within draws of the bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hand_made_maps import blobs, maps_of, shuffled
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    precision_recall_fscore_support,
    roc_auc_score,
)

from voxplain.errors import InputError
from voxplain.inherent.evaluate import classification
from voxplain.inherent.evaluate.classification import (
    auroc,
    class_metrics,
    log_odds,
    overall_metrics,
    softmax,
)
from voxplain.inherent.maps import Maps
from voxplain.inherent.training.scores import scores


def values(rows, **columns):
    return {(r["class"], r["metric"]): r["value"] for r in rows if all(r[c] == v for c, v in columns.items())}


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_every_number_is_that_of_scikit_learn(classes):
    maps = blobs(80, (12, 12), classes=classes)
    found = values(classification(maps, draws=0))
    precision, recall, f1, _ = precision_recall_fscore_support(
        maps.labels, maps.predicted, zero_division=np.nan
    )
    probabilities = softmax(maps.logits)
    for k in range(classes):
        assert found[str(k), "precision"] == pytest.approx(precision[k])
        assert found[str(k), "recall"] == pytest.approx(recall[k])
        assert found[str(k), "f1"] == pytest.approx(f1[k])
        assert found[str(k), "auroc"] == pytest.approx(roc_auc_score(maps.labels == k, probabilities[:, k]))
    assert found["", "accuracy"] == pytest.approx(accuracy_score(maps.labels, maps.predicted))
    assert found["", "balanced accuracy"] == pytest.approx(
        balanced_accuracy_score(maps.labels, maps.predicted)
    )
    assert found["", "macro f1"] == pytest.approx(f1_score(maps.labels, maps.predicted, average="macro"))
    if classes > 2:
        macro = roc_auc_score(maps.labels, probabilities, multi_class="ovr")
        assert found["", "macro auroc"] == pytest.approx(macro)


def test_weights_are_repetitions():
    rng = np.random.default_rng(0)
    labels, logits, weights = rng.integers(0, 3, 40), rng.normal(size=(40, 3)), rng.integers(0, 4, 40)
    p, predicted = softmax(logits), logits.argmax(axis=1)
    a = class_metrics(labels, predicted, p, weights)
    again = np.repeat(np.arange(40), weights)
    b = class_metrics(labels[again], predicted[again], p[again], np.ones(len(again), int))
    np.testing.assert_allclose(a, b)
    c = overall_metrics(labels[again], predicted[again], b, np.ones(len(again), int))
    np.testing.assert_allclose(overall_metrics(labels, predicted, a, weights), c)


def test_ties_count_half():
    score, positive = np.array([1.0, 1.0, 0.0, 2.0]), np.array([True, False, False, True])
    # pairs: 1 ties with 1 (½), beats 0; 2 beats both: 3.5 of 4
    assert auroc(score, positive, np.ones(4, int)) == 3.5 / 4


def test_classes_that_do_not_occur():
    maps = maps_of([np.eye(3)] * 4, labels=[1, 1, 1, 1], logits=[[0.0, 1.0]] * 3 + [[1.0, 0.0]])
    found = values(classification(maps))
    assert found["0", "precision"] == 0 and np.isnan(found["0", "recall"]) and found["0", "f1"] == 0
    assert np.isnan(found["1", "auroc"]) and found["1", "recall"] == 0.75
    assert found["", "balanced accuracy"] == 0.75
    none = values(classification(maps_of([np.eye(3)] * 4)))  # all are of class 1 and decided so
    assert np.isnan(none["0", "f1"]) and np.isnan(none["0", "precision"]) and none["", "macro f1"] == 1


def test_intervals_hold_the_value_and_do_not_depend_on_the_order():
    maps = blobs(60, (12, 12), per_patient=3)
    rows = classification(maps, draws=200, names=["healthy", "ring", "stripes"])
    assert rows == classification(shuffled(maps), draws=200, names=["healthy", "ring", "stripes"])
    assert all(r["low"] <= r["value"] <= r["high"] for r in rows)
    of_all = {r["patients"] for r in rows if r["metric"] not in ("precision", "recall", "f1")}
    assert of_all == {20} and {r["class"] for r in rows} == {
        "healthy",
        "ring",
        "stripes",
        "",
    }
    assert rows != classification(maps, draws=200, seed=1, names=["healthy", "ring", "stripes"])


def test_a_name_per_class():
    with pytest.raises(InputError, match="names: found 2, expected 3"):
        classification(blobs(6), names=["a", "b"])


def test_no_wrong_decision_in_ten_patients_is_not_perfection():
    maps = maps_of([np.eye(3)] * 10, labels=[0, 1] * 5)
    rows = {(r["class"], r["metric"]): r for r in classification(maps, draws=50)}
    assert rows["", "accuracy"]["low"] == pytest.approx(0.025**0.1) and rows["", "accuracy"]["high"] == 1
    assert rows["1", "recall"]["low"] == pytest.approx(0.025**0.2) and rows["1", "recall"]["patients"] == 5


def test_a_perfect_number_that_is_no_share_of_patients_has_no_ends():
    """However patients are drawn again, all are right: the bootstrap knows nothing, and no exact interval is to be had."""
    maps = maps_of([np.eye(3)] * 10, labels=[0, 1] * 5)
    rows = {(r["class"], r["metric"]): r for r in classification(maps, draws=50)}
    for key in [("1", "f1"), ("", "balanced accuracy"), ("", "macro f1"), ("", "macro auroc")]:
        assert rows[key]["value"] == 1 and np.isnan([rows[key]["low"], rows[key]["high"]]).all()


def test_sure_decisions_are_still_ranked():
    """Gaps from 45 to 80, all of which are a probability of 1 in double precision: the rank is that of the gaps."""
    gaps = np.array([45.0, 50, 60, 65, 75, 80])
    labels = np.array([0, 0, 1, 0, 1, 1])
    for logits in (np.stack([0 * gaps, gaps], 1), np.stack([0 * gaps - 700, gaps, 0 * gaps], 1)):
        made = Maps(
            tuple("abcdef"),
            tuple("abcdef"),
            [np.zeros((logits.shape[1], 2, 2), np.float32)] * 6,
            logits,
            labels,
        )
        rows = {(r["class"], r["metric"]): r["value"] for r in classification(made, draws=1)}
        # of nine pairs of a 1 and a 0, one (60 against 65) is the wrong way round
        assert rows["1", "auroc"] == pytest.approx(8 / 9)
        found = scores(torch.from_numpy(logits), torch.from_numpy(labels))
        assert found["auroc"] == pytest.approx(8 / 9)


def test_log_odds_are_those_of_softmax():
    logits = np.random.default_rng(0).normal(0, 2, (50, 4))
    p = softmax(logits)
    np.testing.assert_allclose(log_odds(logits), np.log(p / (1 - p)), rtol=1e-9, atol=1e-12)
