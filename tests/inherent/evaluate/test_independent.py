"""Numbers of independent labels against scikit-learn, weights as repetitions, and one label as two classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics

from voxplain.errors import InputError
from voxplain.inherent.data import class_masks
from voxplain.inherent.evaluate import independent
from voxplain.inherent.evaluate.classification import softmax
from voxplain.inherent.evaluate.independent import PER_LABEL, TOGETHER, label_metrics, together
from voxplain.inherent.maps import Maps


def drawn(n=40, classes=3, seed=0, per_patient=2):
    rng = np.random.default_rng(seed)
    labels = rng.random((n, classes)) < [0.5, 0.3, 0.2][:classes]
    logits = np.round(rng.normal(size=(n, classes)) + 1.5 * labels - 0.7, 1)
    masks = [rng.random((classes, 4, 5)) < 0.3 * row[:, None, None] for row in labels]
    return Maps(
        tuple(f"c{i:02d}" for i in range(n)), tuple(f"p{i // per_patient:02d}" for i in range(n)),
        rng.normal(size=(n, classes, 4, 5)), logits, labels.astype(int), masks, healthy=None,
    )  # fmt: skip


def by_sklearn(wanted, decided, logits) -> dict[tuple[int, str], float]:
    out = {}
    for k in range(wanted.shape[1]):
        w, d = wanted[:, k], decided[:, k]
        each = (
            metrics.precision_score(w, d), metrics.recall_score(w, d), metrics.f1_score(w, d),
            metrics.roc_auc_score(w, logits[:, k]), metrics.balanced_accuracy_score(w, d),
        )  # fmt: skip
        out |= {(k, name): value for name, value in zip(PER_LABEL, each, strict=True)}
    means = (
        metrics.f1_score(wanted, decided, average="macro"), metrics.roc_auc_score(wanted, logits, average="macro"),
        np.mean([out[k, "balanced accuracy"] for k in range(wanted.shape[1])]),
        metrics.precision_score(wanted, decided, average="micro"),
        metrics.recall_score(wanted, decided, average="micro"),
        metrics.f1_score(wanted, decided, average="micro"), metrics.accuracy_score(wanted, decided),
    )  # fmt: skip
    return out | {(-1, name): value for name, value in zip(TOGETHER, means, strict=True)}


@pytest.mark.parametrize("seed", range(3))
def test_every_number_is_scikit_learns(seed):
    maps = drawn(seed=seed)
    truth = by_sklearn(maps.labels > 0, maps.logits > 0, maps.logits)
    names = {"": -1, "a": 0, "b": 1, "c": 2}
    rows = independent(maps, names=["a", "b", "c"], draws=50)
    assert len(rows) == len(truth)
    for row in rows:
        assert row["value"] == pytest.approx(truth[names[row["class"]], row["metric"]]), row
        assert np.isnan(row["low"]) or row["low"] <= row["value"] <= row["high"]
        assert row["patients"] <= 20


def test_weights_are_repetitions():
    maps = drawn(seed=5)
    weights = np.random.default_rng(0).integers(0, 4, len(maps))
    again = np.repeat(np.arange(len(maps)), weights)
    wanted, decided = maps.labels > 0, maps.logits > 0
    truth = by_sklearn(wanted[again], decided[again], maps.logits[again])
    each = label_metrics(wanted, decided, maps.logits, weights)
    for k in range(3):
        assert each[k] == pytest.approx([truth[k, name] for name in PER_LABEL])
    assert together(wanted, decided, each, weights) == pytest.approx([truth[-1, name] for name in TOGETHER])


def test_what_is_not_defined_is_nan_and_left_out_of_means():
    maps = Maps(
        tuple("abcd"), tuple("abcd"), np.zeros((4, 2, 2, 2)), [[1.0, -1], [-1, -1], [1, -1], [1, -1]],
        [[1, 0], [0, 0], [1, 0], [0, 0]], healthy=None,
    )  # fmt: skip
    rows = {(r["class"], r["metric"]): r["value"] for r in independent(maps, draws=5)}
    assert all(np.isnan(rows["1", name]) for name in PER_LABEL)
    # label 0: three decided, two of them rightly, of two
    assert rows["0", "precision"] == pytest.approx(2 / 3) and rows["0", "recall"] == 1
    assert rows["", "macro f1"] == rows["0", "f1"] == pytest.approx(0.8)
    assert rows["", "subset accuracy"] == 0.75


def test_one_label_is_two_classes():
    maps = drawn()
    one = maps.one(1)
    np.testing.assert_allclose(softmax(one.logits)[:, 1], expit(maps.logits[:, 1]))
    assert np.array_equal(one.predicted, maps.logits[:, 1] > 0)
    assert np.array_equal(one.evidence[3][1] - one.evidence[3][0], maps.evidence[3][1])
    assert (
        np.array_equal(one.masks[7], maps.masks[7][1])
        and one.is_healthy.tolist() == (maps.labels[:, 1] == 0).tolist()
    )
    assert one.take([5, 2]).masks[1].shape == (4, 5)
    with pytest.raises(InputError, match=r"one class per case; take a class by one\(k\)"):
        maps.predicted  # noqa: B018
    with pytest.raises(InputError, match="found class 3 of labels"):
        maps.one(3)


def test_masks_by_value_may_lie_over_each_other():
    drawn = np.array([0, 1, 2, 3, 3])
    masks, voxels = class_masks(drawn, [0, 1], 3, ((1, 3), (2, 3), ()))
    assert masks[:2].tolist() == [[False, True, False, True, True], [False, False, True, True, True]]
    assert voxels.tolist() == [3, 3, 0]
    # a class without a value of its own is not known where it applies
    assert class_masks(drawn, [2], 3, ((1, 3), (2, 3), ()))[1].tolist() == [3, 3, -1]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[0, 1, 0]] * 2, r"labels: found shape \(2, 3\), expected \(2, 2\) zeros and ones"),
        ([[0, 2]] * 2, "zeros and ones"),
    ],
)
def test_labels_that_cannot_be(labels, message):
    with pytest.raises(InputError, match=message.replace(r"\(2, 2\)", r"\(N, 2\)")):
        Maps(("a", "b"), ("p", "q"), np.zeros((2, 2, 3, 3)), np.zeros((2, 2)), labels, healthy=None)


def test_exclusive_classes_have_their_own_numbers():
    with pytest.raises(InputError, match="zeros and ones"):
        independent(Maps(("a",), ("p",), np.zeros((1, 2, 3, 3)), [[0.0, 1.0]], [1]))


def test_perfect_numbers_have_no_ends_unless_they_are_shares():
    labels = drawn().labels
    maps = replace(drawn(), logits=2.0 * labels - 1)
    rows = {(r["class"], r["metric"]): r for r in independent(maps, draws=50)}
    for key in [("0", "f1"), ("0", "balanced accuracy"), ("", "macro f1"), ("", "micro f1")]:
        assert rows[key]["value"] == 1 and np.isnan([rows[key]["low"], rows[key]["high"]]).all()
    assert 0 < rows["", "subset accuracy"]["low"] < rows["", "subset accuracy"]["high"] == 1
