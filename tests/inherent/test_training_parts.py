"""Loss, schedule, scores and batches, each against its closed form or a peer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import metrics
from sklearn.utils.class_weight import compute_class_weight
from torch.nn import functional

from voxplain.inherent.training.batches import EpochBatches, epoch_batches, sampling_weights
from voxplain.inherent.training.loss import class_weights, losses
from voxplain.inherent.training.schedule import rate
from voxplain.inherent.training.scores import scores

LABELS = np.array([0] * 12 + [1] * 6 + [2] * 2)
ONE_HOT = np.eye(3, dtype=np.float32)[LABELS]


def test_balanced_weights_are_scikit_learns():
    wanted = compute_class_weight("balanced", classes=np.arange(3), y=LABELS)
    np.testing.assert_allclose(class_weights(ONE_HOT, multi_label=False), wanted, rtol=1e-6)
    # their mean over the samples is one, so that the loss keeps its size
    assert abs(wanted[LABELS].mean() - 1) < 1e-12


def test_the_loss_is_torchs_up_to_what_it_is_divided_by():
    generator = torch.Generator().manual_seed(0)
    logits, truth = torch.randn(20, 3, generator=generator), torch.from_numpy(LABELS)
    weights = class_weights(ONE_HOT, multi_label=False)
    wanted = functional.cross_entropy(
        logits, truth, weight=weights, reduction="mean"
    )  # divides by Σ of weights = 20
    torch.testing.assert_close(losses(logits, truth, weights).mean(), wanted)


def test_independent_labels_weigh_the_rare_answer():
    targets = np.array([[1, 0], [0, 0], [0, 1], [0, 1]], np.float32)
    weights = class_weights(targets, multi_label=True)
    np.testing.assert_allclose(weights, [3.0, 1.0])
    # at a logit of 0 every answer costs log 2, three times that where the rare one is right
    found = losses(torch.zeros(4, 2), torch.from_numpy(targets), weights)
    np.testing.assert_allclose(found, np.log(2) * np.array([2, 1, 1, 1]), rtol=1e-6)


def test_the_cosine_is_torchs():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], 1.0)
    peer = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=40)
    for step in range(40):
        assert abs(rate(step, 40, "cosine", 0.0) - peer.get_last_lr()[0]) < 1e-12
        optimiser.step()
        peer.step()


@pytest.mark.parametrize("warm_up", [0.3, 0.4])
def test_one_cycle_is_torchs(warm_up):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 1.0)
    peer = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 1.0, total_steps=40, pct_start=warm_up, cycle_momentum=False
    )
    for step in range(40):
        assert abs(rate(step, 40, "one-cycle", warm_up) - peer.get_last_lr()[0]) < 1e-12
        optimiser.step()
        if step < 39:
            peer.step()


def test_warm_up_rises_in_a_line_to_the_top():
    found = [rate(step, 20, "constant", 0.2) for step in range(20)]
    np.testing.assert_allclose(found, [0.25, 0.5, 0.75] + [1.0] * 17)


def test_scores_are_scikit_learns():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(20, 3, generator=generator) + torch.from_numpy(ONE_HOT)
    found, guess = scores(logits, torch.from_numpy(LABELS)), logits.argmax(1).numpy()
    wanted = {
        "accuracy": metrics.accuracy_score(LABELS, guess),
        "balanced_accuracy": metrics.balanced_accuracy_score(LABELS, guess),
        "auroc": metrics.roc_auc_score(LABELS, logits.softmax(1).numpy(), multi_class="ovr", average="macro"),
        "f1": metrics.f1_score(LABELS, guess, average="macro"),
    }
    assert found == pytest.approx(wanted, abs=1e-6)
    assert 0.3 < found["accuracy"] < 1


def test_scores_of_two_classes_and_of_a_class_that_nobody_has():
    logits = torch.tensor([[1.0, 0, -3], [0, 1, -3], [2, 0, -3], [1, 0, -3]])
    found = scores(logits, torch.tensor([0, 1, 0, 1]))
    # 3 of 4 right; recalls 1 and 1/2; 1 pairs of 4 is tied, 3 are in order; F1 4/5 and 2/3
    assert found == pytest.approx(
        {"accuracy": 0.75, "balanced_accuracy": 0.75, "auroc": 0.875, "f1": (4 / 5 + 2 / 3) / 2}
    )


def test_scores_of_independent_labels():
    truth = torch.tensor([[1.0, 0], [0, 0], [1, 1], [0, 0]])
    logits = torch.tensor([[1.0, -1], [-1, 1], [1, 1], [-1, -1]])
    found = scores(logits, truth)
    assert found["accuracy"] == 7 / 8 and found["balanced_accuracy"] == pytest.approx(
        (1 + (1 + 2 / 3) / 2) / 2
    )
    assert np.isnan(scores(logits, torch.ones(4, 2))["auroc"])


def test_an_epoch_takes_every_sample_once_in_batches_of_one_size_in_an_order_of_its_own():
    told = {"batch": 8, "balance": "weights", "seed": 3}
    first = epoch_batches(range(100, 120), ONE_HOT, 0, **told)
    assert sorted(i for batch in first for i in batch) == list(range(100, 120)) and [
        len(b) for b in first
    ] == [7, 7, 6]
    assert first == epoch_batches(range(100, 120), ONE_HOT, 0, **told)
    assert first != epoch_batches(range(100, 120), ONE_HOT, 1, **told)
    assert first != epoch_batches(range(100, 120), ONE_HOT, 0, **{**told, "seed": 4})


def test_sampling_draws_every_class_as_often():
    drawn = [
        LABELS[i]
        for epoch in range(300)
        for b in epoch_batches(range(20), ONE_HOT, epoch, batch=8, balance="sampling", seed=0)
        for i in b
    ]
    shares = np.bincount(drawn) / len(drawn)
    assert len(drawn) == 6000 and np.abs(shares - 1 / 3).max() < 5 * np.sqrt(2 / 9 / 6000)


def test_of_independent_labels_the_rarest_decides():
    targets = np.array([[1, 1], [1, 0], [1, 0], [0, 0]], np.float32)
    np.testing.assert_allclose(sampling_weights(targets), [1, 1 / 3, 1 / 3, 1])


def test_processes_share_every_batch_and_begin_where_they_are_told():
    shares = [EpochBatches(rank, 3) for rank in range(3)]
    for share in shares:
        share.batches, share.epoch, share.start = [[1, 2, 3, 4], [5, 6, 7], [8, 9, 10]], 4, 1
    loaded = [list(share) for share in shares]
    assert loaded[0] == [[(4, 5)], [(4, 8)]] and loaded[2] == [[(4, 7)], [(4, 10)]] and len(shares[0]) == 2
