"""Which coordinates of the family change the answer, one after the other, with a picture of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from voxplain.case.atomic import whole, write_whole
from voxplain.counterfactual.direction import Attribute, attributes
from voxplain.counterfactual.generator.coordinates import coordinates_of
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.page.attribute_figure import attribute_figure
from voxplain.counterfactual.running.queries_step import Asked, asked_images
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.counterfactual.running.train_step import TrainedGenerator
from voxplain.inherent.evaluate.rows import write_rows
from voxplain.model import Prepared
from voxplain.report import png

TOLD = "attributes.json"


@dataclass(frozen=True)
class AttributeShown:
    """One coordinate.

    Attributes:
        facts: ``coordinate``, ``sense``, ``place``, ``effect``, ``low``, ``high``, ``share``; JSON-able.
        file: of the figure.
        alt, caption: of the figure.
    """

    facts: dict[str, Any]
    file: Path
    alt: str
    caption: str


def write_attributes(
    task: CounterfactualTask, trained: TrainedGenerator, asked: Asked, key: str, first: Prepared
) -> tuple[AttributeShown, ...]:
    """``attributes.csv``, and of each a figure and its mean change as npz; what was asked before is only read.

    Args:
        task: with its settings.
        trained: the generator.
        asked: what the classifier said before; its codes of training images are moved.
        key: of what decides the answers besides the settings of attributes.
        first: an image, as whose grid lies the figures are turned.
    """
    if not task.settings.attributes.most:
        return ()
    folder = task.places.explanation / "attributes"
    wanted = f"{key} {task.settings.attributes.model_dump_json()}"
    stored = _stored(folder, wanted)
    if stored is None:
        stored = [_drawn(folder, task, trained, found, first) for found in _asked(task, trained, asked)]
        if stored:
            write_rows([dict(s.facts) for s in stored], folder / "attributes.csv")
        told = {"key": wanted, "attributes": [[s.facts, s.file.name, s.alt, s.caption] for s in stored]}
        write_whole(folder / TOLD, json.dumps(told, indent=1, ensure_ascii=False).encode())
    return tuple(stored)


def coordinate_count(task: CounterfactualTask, generator: Generator) -> int:
    """How many coordinates of the family could be asked about; 0 where nobody asks."""
    told = task.settings.attributes
    return coordinates_of(generator, told.space).count if told.most else 0


def _stored(folder: Path, key: str) -> list[AttributeShown] | None:
    try:
        told = json.loads((folder / TOLD).read_text(encoding="utf-8"))
        found = [
            AttributeShown(facts, folder / file, alt, caption)
            for facts, file, alt, caption in told["attributes"]
        ]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if told["key"] == key and all(s.file.exists() for s in found) else None


def _asked(task: CounterfactualTask, trained: TrainedGenerator, asked: Asked) -> Sequence[Attribute]:
    told, learned = task.settings.attributes, asked_images(task)
    chosen = learned[: told.images]
    start = len(asked.queries) - len(learned)
    codes = asked.queries.codes[start : start + len(chosen)]
    return attributes(
        trained.generator, task.asked.decision, codes, step=told.step, count=told.most, among=told.coordinates,
        groups=[task.samples[i].group for i in chosen], space=told.space, seed=task.settings.direction.seed,
    )  # fmt: skip


def _drawn(
    folder: Path, task: CounterfactualTask, trained: TrainedGenerator, found: Attribute, first: Prepared
) -> AttributeShown:
    generator, step = trained.generator, task.settings.attributes.step
    where, middle = coordinates_of(generator, task.settings.attributes.space), generator.statistics.mean[None]
    by = (-step * found.sign, 0.0, step * found.sign)
    with torch.no_grad():
        less, mean, more = (where.moved(middle, found.coordinate, far)[0].cpu() for far in by)
    sense = "up" if found.sign > 0 else "down"
    name = f"coordinate-{found.coordinate:04d}-{sense}"
    with whole(folder / f"{name}.npz", parents=True) as temporary:
        np.savez_compressed(temporary, less=less.numpy(), mean=mean.numpy(), more=more.numpy())
    low, high = (None if np.isnan(end) else end for end in found.interval)
    facts = {
        "coordinate": found.coordinate, "sense": sense, "place": found.place, "effect": found.effect,
        "low": low, "high": high, "share": found.share,
    }  # fmt: skip
    ends = [first.restore(image) for image in (less, mean, more)]
    title = f"Coordinate {found.coordinate}" + (f": {found.place}" if found.place else "")
    figure = attribute_figure(ends[0], ends[1], ends[2], first.case.geometry, title, task.asked.names[1])
    file = write_whole(folder / f"{name}.png", png(figure, 100))
    return AttributeShown(facts, file, figure.alt, figure.caption)
