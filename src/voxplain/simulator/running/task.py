"""From settings to what is explained, and what explains it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from voxplain.counterfactual.classifier.decision import Decision
from voxplain.counterfactual.classifier.load import load_classifier, name_classes
from voxplain.errors import InputError, suggest
from voxplain.inherent.data import Reader, Samples, Split, prepared
from voxplain.inherent.data.orientations import check_orientations
from voxplain.inherent.data.sample import listed
from voxplain.inherent.running.task import divided, read_samples
from voxplain.model import Preparation
from voxplain.simulator.networks import PublishedSimulator, Simulator, VelocitySimulator
from voxplain.simulator.running.divided import divided_by
from voxplain.simulator.running.places import Places
from voxplain.simulator.settings.config import NetworkSettings, SimulatorSettings
from voxplain.simulator.training import SimulatorTraining


@dataclass(frozen=True, eq=False)
class SimulatorTask:
    """What one settings file is about.

    Attributes:
        settings: the file's.
        samples, split: subjects of the two classes; labels are the classifier's.
        preparation: from files to the classifier's input.
        decision: the classifier.
        shape: (C, *S) of the first prepared image.
        notes: what was assumed, one sentence each.
    """

    settings: SimulatorSettings
    samples: Samples
    split: Split
    preparation: Preparation
    decision: Decision
    shape: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def places(self) -> Places:
        """Where the results are."""
        return Places(self.settings.out)

    @property
    def folder(self) -> Path:
        """That paths in the table's columns are relative to."""
        source = self.settings.data.source
        return source if source.is_dir() else source.parent

    @property
    def names(self) -> tuple[str, str]:
        """What the classes are called: healthy, diseased."""
        return self.samples.classes[self.decision.healthy], self.samples.classes[self.decision.diseased]

    def simulator(self, seed: int) -> Simulator:
        """A network with the first weights of a training."""
        return make_simulator(self.settings.network, self.shape, seed)

    def training(self, seed: int) -> SimulatorTraining:
        """How it learns."""
        return self.settings.training.model_copy(update={"seed": seed})


def prepare_task(settings: SimulatorSettings) -> SimulatorTask:
    """Read what there is, divide it, and load the classifier; of the images only the first one is read.

    Raises:
        InputError: data, classes or a network that cannot be; one line per mistake.
        ModelError: a classifier that cannot be loaded, or gives no logits.
    """
    model = load_classifier(settings.classifier, settings.prepare)
    found = read_samples(settings.data)
    if found.multi_label:
        raise InputError("data.multi_label: found independent labels, expected one class per image")
    check_orientations(found, model.prepare.orientation)
    image = prepared(found[0], model.prepare, Reader()).image
    asked = name_classes(settings.classifier, model, image, found.classes)
    samples, notes = _of_classifier(found, asked.classes, asked.decision)
    task = SimulatorTask(
        settings, samples, divided(samples, settings.split), model.prepare, asked.decision, tuple(image.shape), notes
    )  # fmt: skip
    task.simulator(settings.seeds[0])  # refuses parameters before anything is read
    divided_by(settings.group, samples)  # needed by the last command alone, but a typo is told by the first
    return task


def make_simulator(asked: NetworkSettings, shape: tuple[int, ...], seed: int) -> Simulator:
    """The network with weights that depend on the seed alone.

    Args:
        asked: which one.
        shape: (C, *S) of the images.
        seed: of the weights.

    Raises:
        InputError: an unknown parameter, or one that cannot be.
    """
    channels, size = shape[0], shape[1:]
    kinds: dict[str, tuple[type[Simulator], dict[str, Any]]] = {
        "velocity": (VelocitySimulator, {"spatial_dims": len(size), "routing": asked.routing or "shared"}),
        "published": (PublishedSimulator, {"size": size}),
    }
    kind, own = kinds[asked.name]
    _check_parameters(kind, asked.parameters, own)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(channels, **own, **asked.parameters)


def _check_parameters(kind: type[Simulator], given: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    known = [name for name in inspect.signature(kind).parameters if name not in ("in_channels", *own)]
    for name in given:
        if name not in known:
            raise InputError(f"network.parameters: unknown key {name!r}; {suggest(name, known)}")


def _of_classifier(
    found: Samples, classes: tuple[str, ...], decision: Decision
) -> tuple[Samples, tuple[str, ...]]:
    """The subjects of the two classes, numbered as the classifier's outputs are."""
    wanted = [classes[decision.healthy], classes[decision.diseased]]
    for name in wanted:
        if name not in found.classes:
            raise InputError(
                f"data: has no class {name!r}, which the classifier tells apart; found {', '.join(found.classes)}"
            )
    kept = [i for i, s in enumerate(found) if found.classes[_label(s.label)] in wanted]
    items = tuple(replace(found[i], label=classes.index(found.classes[_label(found[i].label)])) for i in kept)
    parts = None if found.parts is None else tuple(found.parts[i] for i in kept)
    others = [name for name in found.classes if name not in wanted]
    notes = found.notes
    if others:
        notes += (f"{len(found) - len(kept)} images of other classes ({listed(others)}) were left out",)
    return Samples(items, classes, parts, notes, found.patients_known), notes


def _label(label: int | tuple[int, ...]) -> int:
    assert isinstance(label, int)
    return label
