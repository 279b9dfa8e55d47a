"""A training that was interrupted ends with the same bits as one that was not, also with a critic and dropout."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file
from simulator_runs import ALL_LOSSES, DECISION, SAMPLES, SPLIT, rule_of, settings, small_network

from voxplain.errors import InputError
from voxplain.inherent.training import Callback
from voxplain.simulator.networks import PublishedSimulator
from voxplain.simulator.training import train_simulator

SETTINGS = settings(losses=ALL_LOSSES, checkpoint_every=2)


class Interrupt(Callback):
    """Ends the training at a step of the optimiser."""

    def __init__(self, at):
        self.at = at

    def step(self, step, steps):
        if step == self.at:
            raise KeyboardInterrupt


def published():
    torch.manual_seed(0)
    return PublishedSimulator(size=(16, 16))  # has dropout and batch statistics


def run(out, network=small_network, told=SETTINGS, callbacks=()):
    return train_simulator(network(), DECISION, SAMPLES, SPLIT, told, out, callbacks=callbacks)


def everything(out):
    """All tensors that the last checkpoint and the result hold, and the history without times."""
    folder = out / "checkpoints" / json.loads((out / "last.json").read_text())["folder"]
    tensors = {"weights": load_file(out / "weights.safetensors")}
    tensors |= {name: load_file(folder / f"{name}.safetensors") for name in ("network", "critic")}
    state = torch.load(folder / "optimiser.pt", weights_only=True)
    flat = {(kind, name): value for kind, of in tensors.items() for name, value in of.items()}
    for kind in ("optimiser", "critic"):
        for number, of in state[kind]["state"].items():
            flat |= {(kind, "state", number, name): value for name, value in of.items()}
    return flat, [{**row, "seconds": 0} for row in json.loads((out / "history.json").read_text())]


@pytest.mark.parametrize("network", [small_network, published])
def test_interrupted_training_ends_with_the_same_bits(tmp_path, network):
    run(tmp_path / "straight", network)
    wanted = everything(tmp_path / "straight")
    for step in (1, 3, 6):  # before, between and after checkpoints, in the middle of epochs
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "out", network, callbacks=[Interrupt(step)])
        torch.manual_seed(step)
    run(tmp_path / "out", network)
    found = everything(tmp_path / "out")
    assert found[1] == wanted[1]
    assert len(wanted[1]) == 3
    assert found[0].keys() == wanted[0].keys()
    assert len(wanted[0]) > 40
    assert all(torch.equal(found[0][key], wanted[0][key]) for key in wanted[0])


def test_another_classifier_or_weight_is_another_training(tmp_path):
    run(tmp_path / "out")
    changed = SETTINGS.model_copy(update={"losses": ALL_LOSSES.model_copy(update={"cycle": 3.0})})
    with pytest.raises(InputError, match=r"another training \(settings.losses.cycle was 1.0, is 3.0\)"):
        run(tmp_path / "out", told=changed)
    with pytest.raises(InputError, match=r"another training \(classifier was"):
        train_simulator(small_network(), rule_of(SAMPLES, "left"), SAMPLES, SPLIT, SETTINGS, tmp_path / "out")
