"""`voxplain simulate train`: a simulator for every seed, with its history and curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import voxplain
from voxplain.case.atomic import write_whole
from voxplain.errors import InputError
from voxplain.inherent.settings.load import as_yaml
from voxplain.inherent.training.callbacks import Callback
from voxplain.simulator.page.curves import write_curves
from voxplain.simulator.running.keys import training_key
from voxplain.simulator.running.surrogate_step import surrogate
from voxplain.simulator.running.task import SimulatorTask
from voxplain.simulator.training import TrainedSimulator, train_simulator, trained_simulator

_DONE = "done.json"


def train_simulators(
    task: SimulatorTask, *, callbacks: Sequence[Callback] = ()
) -> tuple[TrainedSimulator, ...]:
    """Train one simulator per seed, or go on where a training was cut off; what is done is only loaded.

    ``training/seed-N`` gets what `voxplain.simulator.training.train_simulator` writes, and ``curves.png``; the results'
    folder gets ``settings.yaml``.

    Raises:
        InputError: data that cannot be learned from, a class of which the classifier gets nobody right, or a folder that
            holds another training.
    """
    made = tuple(_train(task, seed, callbacks) for seed in task.settings.seeds)
    header = f"voxplain {voxplain.__version__}: voxplain simulate train"
    write_whole(task.places.settings, as_yaml(task.settings, header).encode())
    return made


def trained(task: SimulatorTask, seed: int) -> TrainedSimulator:
    """The simulator of one seed with the weights of its best epoch.

    Raises:
        InputError: it was not trained with these settings yet.
    """
    folder = task.places.training(seed)
    if not is_trained(task, seed):
        why = (
            "holds a training with other settings"
            if (folder / _DONE).exists()
            else "holds no finished training"
        )
        raise InputError(f"{folder}: {why}; run `voxplain simulate train` with these settings first")
    found = trained_simulator(task.simulator(seed), task.decision, folder)
    if task.settings.classifier.black_box:
        # learned from the surrogate, but doses and targets are the black box's
        return replace(found, typical=surrogate(task).typical)
    return found


def is_trained(task: SimulatorTask, seed: int) -> bool:
    """Whether this training is done."""
    return _told(task.places.training(seed)) == training_key(task, seed)


def _train(task: SimulatorTask, seed: int, callbacks: Sequence[Callback]) -> TrainedSimulator:
    folder = task.places.training(seed)
    if is_trained(task, seed):
        return trained(task, seed)
    decision = surrogate(task).decision if task.settings.classifier.black_box else task.decision
    found = train_simulator(
        task.simulator(seed), decision, task.samples, task.split, task.training(seed), folder,
        preparation=task.preparation, callbacks=callbacks,
    )  # fmt: skip
    write_curves(folder / "curves.png", found.history)
    write_whole(folder / _DONE, json.dumps({"key": training_key(task, seed)}).encode())
    return trained(task, seed)


def _told(folder: Path) -> str | None:
    try:
        found: str = json.loads((folder / _DONE).read_text(encoding="utf-8"))["key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found
