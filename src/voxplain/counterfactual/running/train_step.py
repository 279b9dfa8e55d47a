"""`voxplain counterfactual train`: the family of images, with its history, samples and curves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import voxplain
from voxplain.case.atomic import write_whole
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.page.curves import write_curves
from voxplain.counterfactual.running.conditions import answers_of
from voxplain.counterfactual.running.families import family_of
from voxplain.counterfactual.running.families.family import WEIGHTS, Learned
from voxplain.counterfactual.running.judging import collapse
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.counterfactual.settings.config import GeneratorSettings
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
        warning: that it has collapsed, or was trained for longer than is asked for; None of others.
        weights: a short name for its weights.
    """

    generator: Generator
    row: Row
    shape: tuple[int, ...]
    warning: str | None
    weights: str

    def to(self, device: torch.device) -> TrainedGenerator:
        """The same on another device; a generator that cannot be moved stays where it is."""
        move = getattr(self.generator, "to", None)
        return self if move is None else replace(self, generator=move(device))


def train_generator(
    task: CounterfactualTask, *, tell: Callable[[str], None] | None = None
) -> TrainedGenerator:
    """Train the generator, or go on where it was cut off; what is done is only loaded.

    The generator's folder gets ``generator.safetensors``, ``history.csv`` and ``.json``, ``samples/`` and, of networks,
    ``curves.png`` and checkpoints; the results' folder gets ``settings.yaml``.

    Args:
        task: with its settings.
        tell: is given how often the classifier will be asked, before it is, where the family is told what it says.

    Raises:
        InputError: images that cannot be read or differ in shape, a folder that holds another training, a loss that is not
            finite.
    """
    folder = task.places.generator
    if _told(folder).get("key") != training_key(task):
        _train(task, folder, tell)
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
    stored = hashlib.blake2b((folder / WEIGHTS).read_bytes(), digest_size=8).hexdigest()
    # what says how images are encoded decides the codes as much as the weights do
    weights = digest([stored, _record(task), _later(task)])
    said = [text for text in (collapse(row), _longer(task, told.get("steps", {}))) if text is not None]
    return TrainedGenerator(generator, row, tuple(told["shape"]), "; ".join(said) or None, weights)


def training_key(task: CounterfactualTask) -> str:
    """Of what decides the weights."""
    told, where = task.settings, set(WHEREABOUTS) - {"steps"}
    used = family_of(told.generator).trainings
    asked = [getattr(told, name).model_dump(mode="json", exclude=where) for name in used]
    return digest([_record(task), asked, *filter(None, [_later(task)])])


def _train(task: CounterfactualTask, folder: Path, tell: Callable[[str], None] | None) -> None:
    told = task.settings
    images = Images(task.samples, task.preparation, told.training.cache)
    with shown("reading images", told.training.progress) as show:
        images.fill([*task.split.train, *task.split.validation], show)
    family = family_of(told.generator)
    logits = answers_of(task, images, tell) if family.conditional else None
    learned = Learned(
        told, images, task.split.train, task.split.validation, task.shape, _record(task), folder, logits
    )
    rows = family.train(learned)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    write_history(folder, rows, columns)
    if len(rows) > 1:
        write_curves(folder / "curves.png", rows[:-1], rows[-1])
    before = _told(folder).get("steps", {})
    done = {
        "key": training_key(task), "row": rows[-1], "shape": task.shape, "steps": _steps(task, before),
    }  # fmt: skip
    write_whole(folder / DONE, (json.dumps(done, indent=1) + "\n").encode())


def _steps(task: CounterfactualTask, before: dict[str, int]) -> dict[str, int]:
    """How many steps each training of the family has taken; never fewer than before, since none is undone."""
    told = task.settings
    asked = {name: int(getattr(told, name).steps) for name in family_of(told.generator).trainings}
    return {name: max(steps, before.get(name, 0)) for name, steps in asked.items()}


def _longer(task: CounterfactualTask, taken: dict[str, int]) -> str | None:
    """That a generator has learned for longer than the settings say."""
    asked = _steps(task, {})
    more = [
        f"{name}.steps: found {asked[name]}, but {n} were taken"
        for name, n in taken.items()
        if n > asked.get(name, n)
    ]
    return f"{'; '.join(more)} and stay; remove the generator's folder to train for fewer" if more else None


def _record(task: CounterfactualTask) -> dict[str, Any]:
    """What a training is of, besides its own settings."""
    asked, later = task.settings.generator, _later(task)
    return {
        "family": asked.family, "parameters": {k: v for k, v in asked.parameters.items() if k not in later},
        "shape": list(task.shape), "preparation": repr(task.preparation), "samples": labels_digest(task.samples),
        "split": digest(task.split.ids(task.samples)), **_brought(asked),
        **({"classifier": [task.who, *task.asked.names]} if family_of(asked).conditional else {}),
    }  # fmt: skip


def _later(task: CounterfactualTask) -> dict[str, Any]:
    """Parameters that say how images are encoded: with others, nothing is trained anew, but measured."""
    asked = task.settings.generator
    names = family_of(asked).later
    return {name: value for name, value in asked.parameters.items() if name in names}


def _brought(asked: GeneratorSettings) -> dict[str, Any]:
    """Code and weights of the user's own, by their content."""
    files = {"source": asked.source, "features": asked.features.source}
    out: dict[str, Any] = {
        name: _content(Path(told.rpartition(":")[0]), told)
        for name, told in files.items()
        if told is not None
    }
    weights = {"weights": asked.weights, "features' weights": asked.features.weights}
    out |= {name: _content(path, str(path)) for name, path in weights.items() if path is not None}
    return out | ({"features' arguments": asked.features.arguments} if asked.features.arguments else {})


def _content(path: Path, told: str) -> str:
    """Of a file its hash and what is called in it; of what is imported by name, the name."""
    if not path.is_file():
        return told
    name = told.rpartition(":")[2] if told != str(path) else ""
    return f"{hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()}:{name}"


def _told(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
