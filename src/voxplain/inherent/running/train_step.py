"""`voxplain inherent train`: weights, history and curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import voxplain
from voxplain.case.atomic import write_whole
from voxplain.errors import InputError
from voxplain.inherent.classifier import EvidenceClassifier
from voxplain.inherent.page.curves import write_curves
from voxplain.inherent.running.foreseen import check_foreseen
from voxplain.inherent.running.places import Places
from voxplain.inherent.running.task import Task
from voxplain.inherent.training import Callback, Trained, train
from voxplain.inherent.training.checkpoint import WEIGHTS, load_weights
from voxplain.inherent.training.record import NAME as RECORD
from voxplain.inherent.uncertainty import thinned
from voxplain.settings.written import as_yaml

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
        preparation=task.preparation, callbacks=callbacks, made_by=_made_by(task, number),
    )  # fmt: skip
    write_whole(folder / CLASSES, json.dumps(list(task.samples.classes)).encode())
    write_curves(folder / "curves.png", trained.history, trained.best)
    return trained


def _made_by(task: Task, number: int) -> dict[str, Any]:
    """The network's settings; of a file of the user's its name, since a project may be moved."""
    told = task.settings.network.model_dump(mode="json")
    source = told["source"]
    return {
        **told,
        "source": None if source is None else source.rpartition("/")[2],
        "seed": task.settings.network.seed + number,
    }


def _check_same(task: Task, number: int, folder: Path) -> None:
    """See that the network is asked as it was trained: weights alone do not tell pool and preparation.

    Raises:
        InputError: other settings of network or prepare.
    """
    try:
        trained = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # weights from elsewhere can be asked all the same
    before, now = trained.get("made by") or {}, _made_by(task, number)
    for name in sorted(before.keys() & now.keys() - {"seed"}):
        if before[name] != now[name]:
            raise InputError(
                f"network.{name}: found {now[name]}, but the network in {folder} was trained with {before[name]}; use "
                "that, or train again in another folder (out)"
            )
    if trained.get("preparation", repr(task.preparation)) != repr(task.preparation):
        raise InputError(
            f"prepare: found {repr(task.preparation).removeprefix('Preparation')}, but the network in {folder} was trained "
            f"with {trained['preparation'].removeprefix('Preparation')}; use that, or train again in another folder (out)"
        )


def _check_drops(task: Task) -> None:
    """Before hours are spent: what is to be dropped later must be dropped in training."""
    if task.settings.uncertainty.dropout:
        with thinned(task.network, 0):
            pass


def trained_network(task: Task, number: int = 0) -> EvidenceClassifier:
    """A network of the ensemble (the only one, mostly) with the weights of its best epoch, in evaluation mode.

    Raises:
        InputError: it was not trained yet, or with other classes, another network or another preparation.
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
    _check_same(task, number, folder)
    load_weights(weights, network)
    return network.eval()
