"""Two processes that share every batch learn what one does."""

from __future__ import annotations

import json
import pickle

import pytest
import torch
from inherent_samples import network, patches
from safetensors.torch import load_file

from voxplain.errors import ModelError
from voxplain.inherent.data import Images, split_samples
from voxplain.inherent.training import TrainingSettings, train
from voxplain.inherent.training.train import _Run
from voxplain.model import Preparation

SETTINGS = TrainingSettings(
    epochs=2, batch=7, accumulate=2, learning_rate=0.01, device="cpu", progress=False, duplicates=False, monitor="accuracy",
    checkpoint_every=2, strategy="ddp_fork",
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_two_processes_learn_what_one_does(tmp_path):
    samples = patches()
    split = split_samples(samples)
    found = []
    for devices in (1, 2):
        out = tmp_path / str(devices)
        # no batch norm (statistics are of a process's own share) and no dropout (each process draws its own)
        module = network(norm="group", dropout=0)
        trained = train(module, samples, split, SETTINGS.model_copy(update={"devices": devices}), out)
        folder = out / "checkpoints" / json.loads((out / "last.json").read_text())["folder"]
        found.append((load_file(folder / "network.safetensors"), trained))
    (one, alone), (two, both) = found
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-4, atol=1e-6)
    for a, b in zip(alone.history, both.history, strict=True):
        assert (
            a["step"] == b["step"]
            and abs(a["train_loss"] - b["train_loss"]) < 1e-5
            and abs(a["loss"] - b["loss"]) < 1e-5
        )
    stored = load_file(both.best.weights)
    assert all(torch.equal(value, stored[name]) for name, value in both.network.state_dict().items())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_a_process_refuses_is_refused_in_the_same_words(tmp_path):
    samples = patches()
    with pytest.raises(ModelError, match=r"^network: gives \(1, 4\) for one image, expected logits \(1, 2\)"):
        train(
            network(classes=4),
            samples,
            split_samples(samples),
            SETTINGS.model_copy(update={"devices": 2}),
            tmp_path,
        )


def test_spawned_processes_get_all_but_the_images(tmp_path):
    # Fabric takes sequences and data classes among arguments apart, to find modules whose memory is shared
    from lightning_fabric.strategies.launchers.multiprocessing import _disable_module_memory_sharing

    samples = patches()
    images = Images(samples, Preparation())
    images.fill(range(4))
    run = _Run(images, split_samples(samples), SETTINGS, tmp_path, ())
    assert _disable_module_memory_sharing((run,))[0] is run
    arrived = pickle.loads(pickle.dumps(run))
    assert (
        torch.equal(arrived.images[3], images[3])
        and len(arrived.images._kept) == 1
        and len(images._kept) == 4
    )
    assert arrived.split == run.split and arrived.settings == SETTINGS
