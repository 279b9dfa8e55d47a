"""Short names for what results depend on, so that only what has changed is done again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from voxplain.counterfactual.classifier.key import decision_key, stamp
from voxplain.errors import InputError
from voxplain.inherent.data import Reader, Sample, prepared
from voxplain.inherent.training.checkpoint import WEIGHTS
from voxplain.inherent.training.record import digest
from voxplain.simulator.running.task import SimulatorTask
from voxplain.simulator.training.settings import WHEREABOUTS


def training_key(task: SimulatorTask, seed: int) -> str:
    """Of what decides the weights of a training."""
    asked = task.training(seed).model_dump(mode="json", exclude=set(WHEREABOUTS))
    network = task.settings.network.model_dump(mode="json")
    known = [asked, network, _data(task), classifier_key(task)]
    if task.settings.classifier.black_box:
        known.append(surrogate_key(task))
    return digest(known)


def surrogate_key(task: SimulatorTask) -> str:
    """Of what decides what is learned of a black box."""
    told = task.settings.surrogate.model_dump(mode="json")
    return digest([told, _data(task), classifier_key(task)])


def classifier_key(task: SimulatorTask) -> str:
    """Of the classifier: its weights; of a black box the file that it is in, and what it says of the first image."""
    image = prepared(task.samples[0], task.preparation, Reader()).image
    return decision_key(task.settings.classifier, task.decision, image)


def image_keys(task: SimulatorTask, indices: Sequence[int]) -> dict[str, list[str]]:
    """State and content of some images' files, by id; for `changed_images`."""
    samples, read = [task.samples[i] for i in indices], dict[Path, str]()
    return {s.id: [digest(image_stamps(s)), _content(s, read)] for s in samples}


def changed_images(
    task: SimulatorTask, known: Mapping[str, Sequence[str]], indices: Sequence[int]
) -> list[str]:
    """The ids of images that are others than they were; files that are gone, or were only copied, are no others.

    Args:
        task: of the images.
        known: what `image_keys` told of them.
        indices: of the samples.
    """
    found, read = [], dict[Path, str]()
    for sample in (task.samples[i] for i in indices):
        files = sample.image if isinstance(sample.image, tuple) else (sample.image,)
        there = all(not isinstance(file, Path) or file.exists() for file in files)
        before = [*known.get(sample.id, ())]
        if len(before) != 2 or not there or digest(image_stamps(sample)) == before[0]:
            continue
        if _content(sample, read) != before[1]:
            found.append(sample.id)
    return found


def _content(sample: Sample, read: dict[Path, str]) -> str:
    """Of all files of an image, whatever they are called; `read` keeps each, since many slices are of one file."""
    found: list[Any] = []
    for source in sample.image if isinstance(sample.image, tuple) else (sample.image,):
        if not isinstance(source, Path):
            found += stamp(source)
            continue
        inside = sorted(source.rglob("*")) if source.is_dir() else [source]
        for file in (path for path in inside if path.is_file()):
            if file not in read:
                read[file] = hashlib.blake2b(file.read_bytes(), digest_size=8).hexdigest()
            found.append(read[file])
    return digest(found)


def _data(task: SimulatorTask) -> list[Any]:
    """Of what is learned from; who is only explained may change."""
    parts = [
        [(s.id, s.group, s.label) for s in map(task.samples.__getitem__, part)]
        for part in (task.split.train, task.split.validation)
    ]
    return [parts, list(task.samples.classes), repr(task.preparation)]


def explanation_key(task: SimulatorTask, seed: int) -> str:
    """Of what decides the files of a subject, besides the subject.

    Raises:
        InputError: the training has no weights (any more).
    """
    file = task.places.training(seed) / WEIGHTS
    if not file.exists():
        raise InputError(f"{file}: does not exist; run `voxplain simulate train` with these settings again")
    weights = hashlib.blake2b(file.read_bytes(), digest_size=8)
    asked = task.settings.explain.model_dump(mode="json", exclude={"parts", "cases", "device"})
    atlas = (asked.pop("atlas") or {}).get("names")  # the file itself is told by its stamp
    told = [weights.hexdigest(), asked, atlas, repr(task.preparation), classifier_key(task)]
    # the first training's subjects have all files, the others' the log-Jacobian alone
    return digest([*told, seed == task.settings.seeds[0]])


def subject_key(key: str, sample: Sample, atlas: Path | None) -> str:
    """Of one subject's files: another image or atlas in its place is another subject."""
    stamps = [*image_stamps(sample), *([stamp(atlas)] if atlas else [])]
    return digest([key, sample.id, sample.group, sample.label, sample.slice, stamps])


def image_stamps(sample: Sample) -> list[Any]:
    """Of the files of an image."""
    files = sample.image if isinstance(sample.image, tuple) else (sample.image,)
    return [stamp(file) for file in files]
