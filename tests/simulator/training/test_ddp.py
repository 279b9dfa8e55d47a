"""Two processes that share every batch learn what one does."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from simulator_runs import DECISION, SAMPLES, SPLIT, settings, small_network

from voxplain.simulator.losses import LossSettings
from voxplain.simulator.training import train_simulator

SETTINGS = settings(
    epochs=2, batch=7, strategy="ddp_fork", losses=LossSettings(cycle=1.0), checkpoint_every=2
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_two_processes_learn_what_one_does(tmp_path):
    found = []
    for devices in (1, 2):
        out = tmp_path / str(devices)
        told = SETTINGS.model_copy(update={"devices": devices})
        # without norms: a bias before one has no gradient but rounding, which AdamW makes as large as any
        network = small_network(routing="condconv", norm=None)
        trained = train_simulator(network, DECISION, SAMPLES, SPLIT, told, out)
        folder = out / "checkpoints" / json.loads((out / "last.json").read_text())["folder"]
        found.append((load_file(folder / "network.safetensors"), trained))
    (one, alone), (two, both) = found
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-3, atol=1e-5)
    for a, b in zip(alone.history, both.history, strict=True):
        assert a["step"] == b["step"]
        for column in ("train_loss", "loss", "flipped", "missed", "folded"):
            assert a[column] == pytest.approx(b[column], rel=1e-3, abs=1e-4)
