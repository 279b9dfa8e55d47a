"""`voxplain counterfactual train`: the family of images, with its history, samples and curves."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import voxplain
from voxplain.case.atomic import write_whole
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.page.curves import write_curves
from voxplain.counterfactual.running.families import family_of
from voxplain.counterfactual.running.families.family import WEIGHTS, Learned
from voxplain.counterfactual.running.judging import collapse
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.counterfactual.training.settings import WHEREABOUTS
from voxplain.errors import InputError
from voxplain.inherent.data.prepared import Images
from voxplain.inherent.shown import shown
from voxplain.inherent.training.history import Row, write_history
from voxplain.inherent.training.record import digest, labels_digest
from voxplain.settings.written import as_yaml

DONE = "done.json"


@dataclass(frozen=True, eq=False)
class TrainedGenerator:
    """A family of images that is ready.

    Attributes:
        generator: it.
        row: what it was measured to be, on held-out images.
        shape: (C, *S) of its images.
        warning: that it has collapsed; None of others.
        weights: a short name for its weights.
    """

    generator: Generator
    row: Row
    shape: tuple[int, ...]
    warning: str | None
    weights: str


def train_generator(task: CounterfactualTask) -> TrainedGenerator:
    """Train the generator, or go on where it was cut off; what is done is only loaded.

    The generator's folder gets ``generator.safetensors``, ``history.csv`` and ``.json``, ``samples/`` and, of networks,
    ``curves.png`` and checkpoints; the results' folder gets ``settings.yaml``.

    Raises:
        InputError: images that cannot be read or differ in shape, a folder that holds another training, a loss that is not
            finite.
    """
    folder = task.places.generator
    if _told(folder).get("key") != training_key(task):
        _train(task, folder)
    header = f"voxplain {voxplain.__version__}: voxplain counterfactual train"
    write_whole(task.settings.out / "settings.yaml", as_yaml(task.settings, header).encode())
    return trained_generator(task)


def trained_generator(task: CounterfactualTask) -> TrainedGenerator:
    """The generator of these settings.

    Raises:
        InputError: it was not trained with them yet.
    """
    folder = task.places.generator
    told = _told(folder)
    if told.get("key") != training_key(task):
        why = "holds a generator of other settings" if told else "holds no finished generator"
        raise InputError(
            f"{folder}: {why}; run `voxplain counterfactual train` with these settings first, or name another "
            "generator.folder"
        )
    generator = family_of(task.settings.generator).load(folder, task.shape)
    row: Row = told["row"]
    weights = hashlib.blake2b((folder / WEIGHTS).read_bytes(), digest_size=8).hexdigest()
    return TrainedGenerator(generator, row, tuple(told["shape"]), collapse(row), weights)


def training_key(task: CounterfactualTask) -> str:
    """Of what decides the weights."""
    told, used = task.settings, {"pca": (), "autoencoder": ("training",), "stylegan": ("training", "encoder")}
    used["diffusion"] = ("training",)
    where = set(WHEREABOUTS) - {"steps"}
    asked = [
        getattr(told, name).model_dump(mode="json", exclude=where) for name in used[told.generator.family]
    ]
    return digest([_record(task), asked])


def _train(task: CounterfactualTask, folder: Path) -> None:
    told = task.settings
    images = Images(task.samples, task.preparation, told.training.cache)
    with shown("reading images", told.training.progress) as show:
        images.fill([*task.split.train, *task.split.validation], show)
    learned = Learned(
        told, images, task.split.train, task.split.validation, task.shape, _record(task), folder
    )
    rows = family_of(told.generator).train(learned)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    write_history(folder, rows, columns)
    if len(rows) > 1:
        write_curves(folder / "curves.png", rows[:-1], rows[-1])
    done = {"key": training_key(task), "row": rows[-1], "shape": task.shape}
    write_whole(folder / DONE, (json.dumps(done, indent=1) + "\n").encode())


def _record(task: CounterfactualTask) -> dict[str, Any]:
    asked = task.settings.generator
    return {
        "family": asked.family, "parameters": asked.parameters, "shape": list(task.shape),
        "preparation": repr(task.preparation), "samples": labels_digest(task.samples),
        "split": digest(task.split.ids(task.samples)),
    }  # fmt: skip


def _told(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
