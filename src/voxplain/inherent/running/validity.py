"""What predictions are valid for: weights, settings, and of every image what is known about it and its files' state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxplain.errors import InputError
from voxplain.inherent.data.sample import ImageSource, MaskSource, Sample, listed
from voxplain.inherent.maps import Maps
from voxplain.inherent.maps_file import INDEX, VERSION, read_maps
from voxplain.inherent.maps_folder import MapsFolder
from voxplain.inherent.running.places import Places
from voxplain.inherent.running.task import Task
from voxplain.inherent.training.checkpoint import WEIGHTS

_AGAIN = "run `voxplain inherent predict` again"
VALID = "valid for"  # what is known about a stored case beside its maps: its `sample_key`


@dataclass(frozen=True)
class Key:
    """What all maps of a folder depend on, each as a short digest.

    Attributes:
        weights: of all networks that are asked; "" where there are none (any more).
        maps: settings that change maps or what is stored beside them.
        files: which files are written beside them.
    """

    weights: str
    maps: str
    files: str

    def __str__(self) -> str:
        return f"{self.weights} {self.maps} {self.files}"


def key_of(task: Task) -> Key:
    """Of the weights that are there now, and of these settings."""
    places, settings = Places(task.settings.out), task.settings
    files = [places.member(number) / WEIGHTS for number in range(settings.uncertainty.ensemble)]
    weights = _digest([_content(path) for path in files]) if all(path.exists() for path in files) else ""
    told = [
        VERSION, repr(task.preparation), settings.network.model_dump(mode="json"), list(task.samples.classes), task.healthy,
        task.samples.mask_values, settings.predict.precision, settings.uncertainty.model_dump(mode="json"),
    ]  # fmt: skip
    return Key(weights, _digest(told), _digest(list(settings.predict.files)))


def sample_key(sample: Sample) -> str:
    """Label, patient, slice, and the state of image and mask: of files name, size and time of modification, of arrays all.

    Folders that lie above do not count, so that a data set may be moved.
    """
    label = list(sample.labels) if isinstance(sample.label, tuple) else sample.label
    return _digest([sample.id, sample.group, label, sample.slice, _state(sample.image), _state(sample.mask)])


def check_not_trained(task: Task) -> None:
    """See that nobody is judged whom the network has learned from: another table may have drawn another split.

    Raises:
        InputError: images, or (of a split by patient) patients, of the validation and test parts were trained on.
    """
    path = Places(task.settings.out).training / "split.json"
    try:
        trained = set(json.loads(path.read_text(encoding="utf-8"))["train"])
    except (OSError, ValueError, KeyError):
        return  # a network whose training is elsewhere can be asked all the same
    known = {s.group for s in task.samples if s.id in trained} if task.split.grouped else set()
    judged = [task.samples[i] for i in (*task.split.validation, *task.split.test)]
    seen = [s.id for s in judged if s.id in trained or s.group in known]
    if seen:
        raise InputError(
            f"split: {len(seen)} images of validation and test ({listed(seen)}) are of patients that the network was "
            f"trained on, as {path} says: the data or the split changed since; train again in another folder (out)"
        )


def check_current(task: Task, part: str, samples: Sequence[Sample]) -> None:
    """See that a part's maps are finished, and those of the present weights, settings and data.

    Raises:
        InputError: they are not; the message says what differs, and to predict again.
    """
    folder = Places(task.settings.out).maps(part)
    if not folder.exists():
        raise InputError(
            f"{folder}: no maps there yet; run `voxplain inherent predict` with these settings first"
        )
    stored, key = MapsFolder.opened(folder), key_of(task)
    weights, maps, *_ = [*stored.key.split(" "), "", ""]
    if key.weights and weights != key.weights:
        raise InputError(
            f"{folder}: was predicted with other weights than those in {Places(task.settings.out).training}; {_AGAIN}"
        )
    if maps != key.maps:
        raise InputError(
            f"{folder}: was predicted with other settings of data, prepare, network, uncertainty or predict.precision; "
            f"{_AGAIN} with these"
        )
    if not (folder / INDEX).exists():
        there = sum(stored.has(i) for i in range(len(samples)))
        raise InputError(
            f"{folder}: prediction was interrupted, {there} of {len(samples)} images are there; {_AGAIN}, which goes on"
        )
    _check_samples(stored, samples)


def current_maps(task: Task, part: str, samples: Sequence[Sample]) -> Maps:
    """The maps of a part.

    Raises:
        InputError: as `check_current`.
    """
    check_current(task, part, samples)
    return read_maps(Places(task.settings.out).maps(part))


def _check_samples(stored: MapsFolder, samples: Sequence[Sample]) -> None:
    count = stored.count()
    if count != len(samples):
        raise InputError(
            f"{stored.folder}: holds {count} images, expected the {len(samples)} that the data name now; {_AGAIN}"
        )
    changed = [s.id for i, s in enumerate(samples) if stored.about(i).get(VALID) != sample_key(s)]
    if changed:
        raise InputError(
            f"{stored.folder}: {len(changed)} of {len(samples)} images ({listed(changed)}) had another label, patient, "
            f"image or mask when they were predicted; {_AGAIN}, which asks about these alone"
        )


def _state(source: ImageSource | MaskSource | None) -> Any:
    if source is None:
        return None
    if isinstance(source, np.ndarray):
        told = f"{source.dtype} {source.shape}".encode() + np.ascontiguousarray(source).tobytes()
        return hashlib.blake2b(told, digest_size=8).hexdigest()
    if isinstance(source, tuple):
        return [_state(path) for path in source]
    inside = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
    return [_of_file(path) for path in inside]


def _of_file(path: Path) -> list[Any]:
    try:
        found = path.stat()
    except OSError:  # whoever reads it tells why it cannot be
        return [path.name]
    return [path.name, found.st_size, found.st_mtime_ns]


def _content(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=8).hexdigest()
