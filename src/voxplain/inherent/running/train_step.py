"""`voxplain inherent train`: weights, history and curves."""

from __future__ import annotations

import json
from collections.abc import Sequence

import voxplain
from voxplain.case.atomic import write_whole
from voxplain.errors import InputError
from voxplain.inherent.classifier import EvidenceClassifier
from voxplain.inherent.page.curves import write_curves
from voxplain.inherent.running.places import Places
from voxplain.inherent.running.task import Task
from voxplain.inherent.settings.load import as_yaml
from voxplain.inherent.training import Callback, Trained, train
from voxplain.inherent.training.checkpoint import WEIGHTS, load_weights

CLASSES = "classes.json"


def train_inherent(task: Task, *, callbacks: Sequence[Callback] = ()) -> Trained:
    """Train, or go on where a training was cut off, and draw its curves.

    The folder ``training`` of the results gets what `voxplain.inherent.training.train` writes, ``classes.json`` and
    ``curves.png``; the results' folder gets ``settings.yaml``.

    Raises:
        InputError: data that cannot be learned from, or a folder that holds another training.
    """
    places = Places(task.settings.out)
    trained = train(
        task.network, task.samples, task.split, task.settings.training, places.training,
        preparation=task.preparation, callbacks=callbacks,
    )  # fmt: skip
    write_whole(
        places.settings,
        as_yaml(task.settings, f"voxplain {voxplain.__version__}: voxplain inherent train").encode(),
    )
    write_whole(places.training / CLASSES, json.dumps(list(task.samples.classes)).encode())
    write_curves(places.training / "curves.png", trained.history, trained.best)
    return trained


def trained_network(task: Task) -> EvidenceClassifier:
    """The task's network with the weights of its best epoch, in evaluation mode.

    Raises:
        InputError: it was not trained yet, or with other classes or another network.
    """
    places = Places(task.settings.out)
    weights = places.training / WEIGHTS
    if not weights.exists():
        raise InputError(f"{weights}: not there yet; run `voxplain inherent train` with these settings first")
    try:
        classes = json.loads((places.training / CLASSES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        classes = list(task.samples.classes)
    if classes != list(task.samples.classes):
        raise InputError(
            f"data.classes: found {', '.join(task.samples.classes)}, but the network was trained on {', '.join(classes)}"
        )
    load_weights(weights, task.network)
    task.network.eval()
    return task.network
