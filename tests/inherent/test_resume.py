"""A training that was interrupted, in any way, ends with the same bits as one that was not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from inherent_samples import network, patches
from safetensors.torch import load_file

from voxplain.errors import InputError
from voxplain.inherent.data import split_samples
from voxplain.inherent.training import Callback, TrainingSettings, train

HERE = Path(__file__).parent.parent
SETTINGS = TrainingSettings(
    epochs=4, batch=6, accumulate=2, learning_rate=0.01, average=0.9, device="cpu", progress=False, duplicates=False,
    augment={}, monitor="auroc", checkpoint_every=2,
)  # fmt: skip
SAMPLES = patches()
SPLIT = split_samples(SAMPLES)


class Interrupt(Callback):
    """Ends the training at a step of the optimiser."""

    def __init__(self, at):
        self.at = at

    def step(self, step, steps):
        if step == self.at:
            raise KeyboardInterrupt


def run(out, settings=SETTINGS, callbacks=()):
    return train(network(), SAMPLES, SPLIT, settings, out, callbacks=callbacks)


def everything(out):
    """All tensors that the last checkpoint and the result hold, and the history without times."""
    folder = out / "checkpoints" / json.loads((out / "last.json").read_text())["folder"]
    tensors = {"weights": load_file(out / "weights.safetensors")}
    tensors |= {name: load_file(folder / f"{name}.safetensors") for name in ("network", "average")}
    state = torch.load(folder / "optimiser.pt", weights_only=True)
    flat = {(kind, name): value for kind, of in tensors.items() for name, value in of.items()}
    for number, of in state["optimiser"]["state"].items():
        flat |= {("optimiser", number, name): value for name, value in of.items()}
    rows = [{**row, "seconds": 0} for row in json.loads((out / "history.json").read_text())]
    return flat, rows


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    out = tmp_path_factory.mktemp("straight") / "out"
    run(out)
    return everything(out)


def check(found, wanted):
    assert found[1] == wanted[1] and len(wanted[1]) == 4
    assert found[0].keys() == wanted[0].keys() and len(wanted[0]) > 40
    assert all(torch.equal(found[0][key], wanted[0][key]) for key in wanted[0])


def test_a_checkpoint_in_the_middle_of_an_epoch_is_one_of_those_tested():
    # 32 samples in 6 passes are 3 steps: every epoch has a checkpoint inside, at steps 2, 4, 8, 10
    assert len(SPLIT.train) == 32


@pytest.mark.parametrize("step", [1, 3, 6, 8, 11])
def test_interrupted_training_ends_with_the_same_bits(tmp_path, straight, step):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", callbacks=[Interrupt(step)])
    torch.manual_seed(step)
    run(tmp_path / "out")
    check(everything(tmp_path / "out"), straight)


def test_interrupted_at_every_step_and_with_epochs_alone_as_checkpoints(tmp_path, straight):
    sparse = SETTINGS.model_copy(update={"checkpoint_every": None})
    for step in (2, 5, 7, 10):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "out", sparse, [Interrupt(step)])
    run(tmp_path / "out", sparse)
    check(everything(tmp_path / "out"), straight)


KILLED = """
import os, sys, signal, torch
from pathlib import Path
import test_resume
saved, count = torch.save, [0]
def save(*args):
    count[0] += 1
    if count[0] == 4:  # in the middle of writing a checkpoint
        Path(args[1]).write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    saved(*args)
torch.save = save
test_resume.run(Path(sys.argv[1]))
"""


def test_a_process_that_is_killed_while_it_writes_loses_nothing_but_time(tmp_path, straight):
    out = tmp_path / "out"
    paths = [str(Path(__file__).parent), str(HERE), *(p for p in sys.path if p)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(out)],
        env=environment,
        check=False,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == -9, done.stderr.decode()[-2000:]
    assert any(path.name.startswith(".") for path in (out / "checkpoints").iterdir())
    run(out)
    check(everything(out), straight)
    folders = sorted(path.name for path in (out / "checkpoints").iterdir())
    assert len(folders) <= 2 and not any(name.startswith(".") for name in folders)


def test_a_finished_training_is_given_back_without_a_step(tmp_path, straight):
    run(tmp_path / "out")
    again = run(tmp_path / "out", callbacks=[Interrupt(step) for step in range(99)])
    check(everything(tmp_path / "out"), straight)
    assert len(again.history) == 4
    stored = load_file(again.best.weights)
    assert all(torch.equal(value, stored[name]) for name, value in again.network.state_dict().items())


def test_whereabouts_may_change_but_what_is_computed_may_not(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", callbacks=[Interrupt(4)])
    run(tmp_path / "out", SETTINGS.model_copy(update={"workers": 0, "cache": 0.0, "checkpoint_every": None}))
    changed = SETTINGS.model_copy(update={"learning_rate": 0.02})
    with pytest.raises(InputError, match=r"another training \(settings.learning_rate was 0.01, is 0.02\)"):
        run(tmp_path / "out", changed)
    with pytest.raises(InputError, match=r"another training \(split was"):
        train(network(), SAMPLES, split_samples(SAMPLES, seed=5), SETTINGS, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "says"),
    [("network.safetensors", "does not fit the network"), ("optimiser.pt", "cannot be read")],
)
def test_damaged_checkpoints_are_told(tmp_path, name, says):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", callbacks=[Interrupt(4)])
    folder = tmp_path / "out/checkpoints" / json.loads((tmp_path / "out/last.json").read_text())["folder"]
    (folder / name).write_bytes(b"damaged")
    with pytest.raises(InputError, match=says):
        run(tmp_path / "out")


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "hacked"),)

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", callbacks=[Interrupt(4)])
    folder = tmp_path / "out/checkpoints" / json.loads((tmp_path / "out/last.json").read_text())["folder"]
    torch.save({"optimiser": Evil()}, folder / "optimiser.pt")
    with pytest.raises(InputError, match="cannot be read"):
        run(tmp_path / "out")
    assert not (tmp_path / "hacked").exists()
