"""Training: the same numbers as a bare loop, the choices that settings offer, and errors that name what is wrong."""

from __future__ import annotations

import io
import json
import warnings

import numpy as np
import pytest
import torch
from inherent_samples import network, patches
from pydantic import ValidationError
from torch import nn
from torch.nn import functional

from voxplain.errors import InputError, ModelError
from voxplain.inherent.data import Sample, Samples, Split, split_samples
from voxplain.inherent.data.duplicates import near_duplicates
from voxplain.inherent.training import Callback, TrainingSettings, predict, train
from voxplain.inherent.training.batches import epoch_batches
from voxplain.inherent.training.progress import Progress
from voxplain.inherent.training.schedule import rate

PLAIN = {"epochs": 2, "batch": 8, "device": "cpu", "progress": False, "augment": None, "duplicates": False}


def told(**changed):
    return TrainingSettings(**{**PLAIN, **changed})


@pytest.fixture
def toy():
    samples = patches()
    return samples, split_samples(samples)


def weights(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(a, b, **tolerance):
    return all(torch.allclose(a[k], b[k], **tolerance) if tolerance else torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize(("batch", "together", "clip"), [(8, 1, 0.5), (7, 2, None)])
def test_without_extras_it_is_the_bare_loop(toy, tmp_path, batch, together, clip):
    # 32 samples: 4 batches of 8; or 7, 7, 6, 6, 6, of which two, two and one make a step
    samples, split = toy
    settings = told(epochs=3, monitor="f1", batch=batch, accumulate=together, clip=clip)
    peer = network(norm="group", dropout=0)
    images = torch.stack([torch.from_numpy(s.image) for s in samples])
    truth = torch.tensor([s.label for s in samples])
    targets = np.eye(2, dtype=np.float32)[truth[list(split.train)]]
    balanced = torch.from_numpy(len(targets) / (2 * targets.sum(0)))
    # as the settings say: no decay of biases and norms, a cosine after five per cent
    decayed = [p for p in peer.parameters() if p.ndim > 1]
    free = [p for p in peer.parameters() if p.ndim == 1]
    adam = torch.optim.AdamW([{"params": decayed, "weight_decay": 1e-4}, {"params": free, "weight_decay": 0}])
    after, step, steps = [], 0, 3 * (4 if together == 1 else 3)
    for epoch in range(3):
        batches = epoch_batches(split.train, targets, epoch, batch=batch, balance="weights", seed=0)
        for first in range(0, len(batches), together):
            chosen = [i for part in batches[first : first + together] for i in part]
            for group in adam.param_groups:
                group["lr"] = 1e-3 * rate(step, steps, "cosine", 0.05)
            loss = functional.cross_entropy(
                peer(images[chosen]), truth[chosen], weight=balanced, reduction="sum"
            )
            adam.zero_grad()
            (loss / len(chosen)).backward()
            if clip is not None:
                assert float(nn.utils.clip_grad_norm_(peer.parameters(), clip)) > clip
            adam.step()
            step += 1
        after.append(weights(peer))
    trained = train(network(norm="group", dropout=0), samples, split, settings, tmp_path / "out")
    assert step == steps and [row["step"] for row in trained.history] == [steps // 3, 2 * steps // 3, steps]
    assert same(weights(trained.network), after[trained.best.epoch - 1], rtol=1e-5, atol=1e-6)


def test_it_learns_and_keeps_the_best_epoch(tmp_path):
    samples = patches(patients=40, strength=3.0)
    split = split_samples(samples)
    trained = train(
        network(), samples, split, told(epochs=12, learning_rate=0.02, monitor="loss"), tmp_path / "out"
    )
    assert trained.history[-1]["balanced_accuracy"] > 0.9 > trained.history[0]["balanced_accuracy"]
    losses = [row["loss"] for row in trained.history]
    assert trained.best.value == min(losses) and trained.best.epoch == 1 + int(np.argmin(losses))
    again = [p.logits for p in predict(trained.network, [samples[i] for i in split.validation])]
    truth = torch.tensor([samples[i].label for i in split.validation])
    assert abs(float(functional.cross_entropy(torch.stack(again), truth)) - trained.best.value) < 1e-5
    rows = json.loads((tmp_path / "out/history.json").read_text())
    assert rows == list(trained.history) and (tmp_path / "out/history.csv").read_text().count("\n") == 13
    parts = json.loads((tmp_path / "out/split.json").read_text())
    assert parts["test"] == [samples[i].id for i in split.test] and parts["grouped"] is True


def test_passes_together_are_one_large_batch(toy, tmp_path):
    # without batch norm, which sees passes; 32 samples: 4 passes of 8 are 2 steps of 16
    samples, split = toy
    found = []
    for batch, together in ((16, 1), (8, 2)):
        settings = told(batch=batch, accumulate=together, monitor="accuracy")
        module = network(norm="group", dropout=0)
        trained = train(module, samples, split, settings, tmp_path / str(batch))
        assert [row["step"] for row in trained.history] == [2, 4]
        found.append(torch.cat([p.flatten() for p in trained.network.parameters()]))
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)
    assert not torch.equal(found[0], torch.cat([p.flatten() for p in network(norm="group").parameters()]))


def test_training_does_not_depend_on_workers_nor_on_the_random_state_outside(toy, tmp_path):
    samples, split = toy
    found = []
    for workers in (0, 2):
        torch.manual_seed(workers)
        before = torch.random.get_rng_state()
        module = network()
        before = torch.random.get_rng_state()
        settings = told(workers=workers, augment={}, balance="sampling")
        found.append(train(module, samples, split, settings, tmp_path / str(workers)))
        assert torch.equal(torch.random.get_rng_state(), before)
    assert same(weights(found[0].network), weights(found[1].network))
    assert [{**r, "seconds": 0} for r in found[0].history] == [{**r, "seconds": 0} for r in found[1].history]


def test_a_seed_decides(toy, tmp_path):
    samples, split = toy
    found = [
        train(network(), samples, split, told(seed=s), tmp_path / f"{s}{n}")
        for s, n in ((1, 0), (1, 1), (2, 0))
    ]
    assert same(weights(found[0].network), weights(found[1].network))
    assert not same(weights(found[0].network), weights(found[2].network))


def test_it_stops_when_nothing_gets_better(toy, tmp_path):
    samples, split = toy
    settings = told(epochs=9, learning_rate=1e-12, monitor="accuracy", patience=2)
    trained = train(network(), samples, split, settings, tmp_path / "out")
    assert len(trained.history) == 3 and trained.best.epoch == 1


def test_the_average_is_what_is_validated_and_kept(toy, tmp_path):
    samples, split = toy
    seen = []

    class Watch(Callback):
        def step(self, step, steps):
            seen.append(module[0].weight.detach().clone())

    module = network()
    trained = train(
        module,
        samples,
        split,
        told(epochs=1, average=0.8, learning_rate=0.1),
        tmp_path / "out",
        callbacks=[Watch()],
    )
    wanted = seen[0]
    for now in seen[1:]:
        wanted = 0.8 * wanted + 0.2 * now
    torch.testing.assert_close(trained.network[0].weight, wanted)
    assert not torch.allclose(wanted, seen[-1], atol=1e-3)


def test_bf16_trains_to_about_the_same(toy, tmp_path):
    samples, split = toy
    full, half = (
        train(network(dropout=0), samples, split, told(precision=p), tmp_path / p) for p in ("fp32", "bf16")
    )
    assert all(value.dtype == torch.float32 for value in half.network.parameters())
    a, b = full.history[-1]["train_loss"], half.history[-1]["train_loss"]
    assert a != b and abs(a - b) < 0.02 * a


def test_volumes_and_independent_labels_train(tmp_path):
    rng = np.random.default_rng(0)
    items = []
    for i in range(24):
        label = tuple(np.flatnonzero([i % 2, i % 3 == 0]).tolist())
        items.append(Sample(str(i), rng.normal(size=(1, 6, 7, 8)), label, f"p{i // 2}"))
    samples = Samples(tuple(items), ("a", "b"))
    split = split_samples(samples, {"train": 0.6, "validation": 0.4})
    trained = train(network(dims=3), samples, split, told(augment={}, monitor="auroc"), tmp_path / "out")
    assert len(trained.history) == 2 and 0 <= trained.best.value <= 1


def test_curves_are_written_for_tensorboard(toy, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    samples, split = toy
    trained = train(network(), samples, split, told(tensorboard=True), tmp_path / "out")
    events = EventAccumulator(str(tmp_path / "out/tensorboard"))
    events.Reload()
    found = [(event.step, event.value) for event in events.Scalars("loss")]
    assert found == [(row["step"], pytest.approx(row["loss"])) for row in trained.history]


def test_a_line_per_epoch_says_how_it_goes(tmp_path):
    stream = io.StringIO()
    shown = Progress("auroc", stream)
    shown.start(0, 10)
    row = {
        "epoch": 1,
        "train_loss": 0.5,
        "loss": 0.4,
        "balanced_accuracy": 0.75,
        "auroc": 0.875,
        "seconds": 2.0,
    }
    shown.epoch(row, row)
    shown.end()
    assert "epoch 1: training loss 0.5, validation loss 0.4" in stream.getvalue()
    assert "auroc: best 0.875 in epoch 1" in stream.getvalue() and stream.getvalue().count("\n") == 1


def test_copies_across_parts_are_reported(toy, tmp_path):
    samples, split = toy
    items = list(samples)
    a, b = split.train[0], split.test[0]
    items[b] = Sample(items[b].id, items[a].image * 2, items[b].label, items[b].group)
    copied = Samples(tuple(items), samples.classes)
    images = [torch.from_numpy(s.image) for s in copied]
    assert len(near_duplicates(images.__getitem__, split)) == 1
    with pytest.warns(UserWarning, match=rf"1 pairs .* {items[a].id} \(train\) and {items[b].id} \(test\)"):
        train(network(), copied, split, told(epochs=1, duplicates=True), tmp_path / "out")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        train(network(), samples, split, told(epochs=1, duplicates=True), tmp_path / "other")


def test_mistakes_are_found_before_anything_is_learned(toy, tmp_path):
    samples, split = toy
    with pytest.raises(ModelError, match=r"gives \(1, 5\) for one image, expected logits \(1, 2\)"):
        train(network(classes=5), samples, split, told(), tmp_path / "a")
    with pytest.raises(InputError, match="validation part is empty"):
        train(network(), samples, Split(split.train, (), ()), told(), tmp_path / "b")
    torn = Split((*split.train, split.test[0]), split.validation, split.test[1:])
    with pytest.raises(InputError, match="1 patient is in more than one part"):
        train(network(), samples, torn, told(), tmp_path / "c")
    with pytest.raises(InputError, match="too small for 12 processes"):
        train(network(), samples, split, told(devices=12), tmp_path / "d")
    frozen = network().requires_grad_(False)
    with pytest.raises(ModelError, match="no parameter that could be learned"):
        train(frozen, samples, split, told(), tmp_path / "e")
    with pytest.raises(ValidationError, match="expected auto, cpu"):
        told(device="gpu0")


def test_a_loss_that_is_not_finite_ends_the_training(toy, tmp_path):
    samples, split = toy

    class Broken(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, x):
            return self.inner(x) * float("nan")

    with pytest.raises(InputError, match="the loss is nan in epoch 1; lower learning_rate"):
        train(Broken(), samples, split, told(), tmp_path / "out")


def test_one_class_alone_is_refused(tmp_path):
    items = patches(4)[::4]
    samples = Samples(items, ("a", "b"))
    with pytest.raises(InputError, match="one class only"):
        train(network(), samples, Split((0,), (1,), ()), told(), tmp_path / "out")
