"""`voxplain inherent train`: weights, history and curves."""

from __future__ import annotations

import json
from collections.abc import Sequence

import voxplain
from voxplain.case.atomic import write_whole
from voxplain.errors import InputError
from voxplain.inherent.classifier import EvidenceClassifier
from voxplain.inherent.page.curves import write_curves
from voxplain.inherent.running.foreseen import check_foreseen
from voxplain.inherent.running.places import Places
from voxplain.inherent.running.task import Task
from voxplain.inherent.settings.load import as_yaml
from voxplain.inherent.training import Callback, Trained, train
from voxplain.inherent.training.checkpoint import WEIGHTS, load_weights
from voxplain.inherent.uncertainty import thinned

CLASSES = "classes.json"


def train_inherent(task: Task, *, callbacks: Sequence[Callback] = ()) -> tuple[Trained, ...]:
    """Train every network of the ensemble (mostly one), or go on where a training was cut off, and draw the curves.

    The folder ``training`` of the results gets what `voxplain.inherent.training.train` writes, ``classes.json`` and
    ``curves.png``; further networks, whose seeds are larger by one each, get the same in ``training/members``. The results'
    folder gets ``settings.yaml``.

    Raises:
        InputError: data that cannot be learned from, or a folder that holds another training; what would stop prediction
            or evaluation later, see `check_foreseen`.
    """
    places = Places(task.settings.out)
    _check_drops(task)
    check_foreseen(task)
    trained = tuple(_trained(task, number, callbacks) for number in range(task.settings.uncertainty.ensemble))
    write_whole(
        places.settings,
        as_yaml(task.settings, f"voxplain {voxplain.__version__}: voxplain inherent train").encode(),
    )
    return trained


def _trained(task: Task, number: int, callbacks: Sequence[Callback]) -> Trained:
    folder, asked = Places(task.settings.out).member(number), task.settings.training
    trained = train(
        task.member(number), task.samples, task.split, asked.model_copy(update={"seed": asked.seed + number}), folder,
        preparation=task.preparation, callbacks=callbacks,
    )  # fmt: skip
    write_whole(folder / CLASSES, json.dumps(list(task.samples.classes)).encode())
    write_curves(folder / "curves.png", trained.history, trained.best)
    return trained


def _check_drops(task: Task) -> None:
    """Before hours are spent: what is to be dropped later must be dropped in training."""
    if task.settings.uncertainty.dropout:
        with thinned(task.network, 0):
            pass


def trained_network(task: Task, number: int = 0) -> EvidenceClassifier:
    """A network of the ensemble (the only one, mostly) with the weights of its best epoch, in evaluation mode.

    Raises:
        InputError: it was not trained yet, or with other classes or another network.
    """
    folder, network = Places(task.settings.out).member(number), task.member(number)
    weights = folder / WEIGHTS
    if not weights.exists():
        raise InputError(f"{weights}: not there yet; run `voxplain inherent train` with these settings first")
    try:
        classes = json.loads((folder / CLASSES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        classes = list(task.samples.classes)
    if classes != list(task.samples.classes):
        raise InputError(
            f"data.classes: found {', '.join(task.samples.classes)}, but the network was trained on {', '.join(classes)}"
        )
    load_weights(weights, network)
    return network.eval()
