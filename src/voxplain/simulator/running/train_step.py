"""`voxplain simulate train`: a simulator for every seed, with its history and curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import voxplain
from voxplain.case.atomic import write_whole
from voxplain.errors import InputError
from voxplain.inherent.data.sample import listed
from voxplain.inherent.training.callbacks import Callback
from voxplain.inherent.training.checkpoint import WEIGHTS, load_weights
from voxplain.inherent.training.record import NAME as RECORD
from voxplain.settings.written import as_yaml
from voxplain.simulator.page.curves import write_curves
from voxplain.simulator.running.keys import changed_images, image_keys, training_key
from voxplain.simulator.running.surrogate_step import read_json, surrogate
from voxplain.simulator.running.task import SimulatorTask
from voxplain.simulator.training import TrainedSimulator, train_simulator, trained_simulator
from voxplain.simulator.training.subjects import NobodyRightError
from voxplain.simulator.training.train import read_told

_DONE, _IMAGES = "done.json", "images.json"


def train_simulators(
    task: SimulatorTask, *, callbacks: Sequence[Callback] = ()
) -> tuple[TrainedSimulator, ...]:
    """Train one simulator per seed, or go on where a training was cut off; what is done is only loaded.

    ``training/seed-N`` gets what `voxplain.simulator.training.train_simulator` writes, and ``curves.png``; the results'
    folder gets ``settings.yaml``.

    Raises:
        InputError: data that cannot be learned from, a class of which the classifier gets nobody right, or a folder that
            holds another training, or one of images that have changed since.
    """
    made = tuple(_train(task, seed, callbacks) for seed in task.settings.seeds)
    header = f"voxplain {voxplain.__version__}: voxplain simulate train"
    write_whole(task.places.settings, as_yaml(task.settings, header).encode())
    return made


def trained(task: SimulatorTask, seed: int) -> TrainedSimulator:
    """The simulator of one seed with the weights of its best epoch.

    Raises:
        InputError: it was not trained with these settings yet, or images have changed or files been lost since.
    """
    folder = task.places.training(seed)
    _check_images(task, folder)
    told = _told(folder)
    if told != training_key(task, seed):
        why = (
            "holds no finished training"
            if told is None
            else "holds a training with other settings, data or another classifier"
        )
        raise InputError(f"{folder}: {why}; run `voxplain simulate train` with these settings first")
    lost = _lost(task, seed)
    if lost:
        raise InputError(
            f"{lost}; run `voxplain simulate train` again, which makes up for it from checkpoints"
        )
    found = trained_simulator(task.simulator(seed), task.decision, folder)
    if task.settings.classifier.black_box:
        # learned from the surrogate, but doses and targets are the black box's
        return replace(found, typical=surrogate(task).typical)
    return found


def is_trained(task: SimulatorTask, seed: int) -> bool:
    """Whether this training is done, and all of its files are there."""
    return _told(task.places.training(seed)) == training_key(task, seed) and not _lost(task, seed)


def _lost(task: SimulatorTask, seed: int) -> str:
    """What is missing or damaged in the folder of a training; "" where nothing is."""
    folder = task.places.training(seed)
    try:
        load_weights(folder / WEIGHTS, task.simulator(seed))
        read_told(folder)
    except InputError as error:
        return str(error)
    return ""


def _check_images(task: SimulatorTask, folder: Path) -> None:
    """See that the images are those that were learned from.

    Raises:
        InputError: files have changed.
    """
    indices = [*task.split.train, *task.split.validation]
    changed = changed_images(task, read_json(folder / _IMAGES), indices)
    if changed:
        raise InputError(
            f"out: {folder} holds another training: {len(changed)} of {len(indices)} images of train and validation "
            f"({listed(changed)}) have changed since; name another folder, or remove this one"
        )


def _claim(task: SimulatorTask, folder: Path) -> None:
    """What a training begins with: no trace of one that came to nothing, and the state of its images."""
    if not (folder / "last.json").exists() and not (folder / WEIGHTS).exists():
        (folder / RECORD).unlink(missing_ok=True)
        (folder / _IMAGES).unlink(missing_ok=True)
    _check_images(task, folder)
    if not (folder / _IMAGES).exists():
        now = image_keys(task, [*task.split.train, *task.split.validation])
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / _IMAGES, json.dumps(now, indent=1).encode())


def _train(task: SimulatorTask, seed: int, callbacks: Sequence[Callback]) -> TrainedSimulator:
    folder = task.places.training(seed)
    _claim(task, folder)
    if is_trained(task, seed):
        return trained(task, seed)
    learned = surrogate(task) if task.settings.classifier.black_box else None
    decision = learned.decision if learned else task.decision
    try:
        found = train_simulator(
            task.simulator(seed), decision, task.samples, task.split, task.training(seed), folder,
            preparation=task.preparation, callbacks=callbacks,
        )  # fmt: skip
    except NobodyRightError as error:
        if learned is None:
            raise
        raise InputError(
            f"surrogate: {error.what} the network that has learned the black box gets none right, so that no simulator "
            f"can learn from it; {learned.fidelity.told()}; raise surrogate.epochs, or give more training images"
        ) from None
    write_curves(folder / "curves.png", found.history)
    write_whole(folder / _DONE, json.dumps({"key": training_key(task, seed)}).encode())
    return trained(task, seed)


def _told(folder: Path) -> str | None:
    found: str | None = read_json(folder / _DONE).get("key")
    return found
