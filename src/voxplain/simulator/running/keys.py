"""Short names for what results depend on, so that only what has changed is done again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.inherent.data.sample import Sample
from voxplain.inherent.training.checkpoint import WEIGHTS
from voxplain.inherent.training.record import digest, labels_digest
from voxplain.simulator.running.task import SimulatorTask
from voxplain.simulator.training.settings import WHEREABOUTS
from voxplain.simulator.training.train import weights_digest


def training_key(task: SimulatorTask, seed: int) -> str:
    """Of what decides the weights of a training."""
    asked = task.training(seed).model_dump(mode="json", exclude=set(WHEREABOUTS))
    network = task.settings.network.model_dump(mode="json")
    data = [labels_digest(task.samples), task.split.ids(task.samples), repr(task.preparation)]
    return digest([asked, network, data, weights_digest(task.decision)])


def explanation_key(task: SimulatorTask, seed: int) -> str:
    """Of what decides the files of a subject, besides the subject."""
    weights = hashlib.blake2b((task.places.training(seed) / WEIGHTS).read_bytes(), digest_size=8)
    asked = task.settings.explain.model_dump(mode="json", exclude={"parts", "cases", "device"})
    atlas = (asked.pop("atlas") or {}).get("names")  # the file itself is told by its stamp
    return digest([weights.hexdigest(), asked, atlas, repr(task.preparation), weights_digest(task.decision)])


def subject_key(key: str, sample: Sample, atlas: Path | None) -> str:
    """Of one subject's files: another image or atlas in its place is another subject."""
    files = sample.image if isinstance(sample.image, tuple) else (sample.image,)
    stamps = [stamp(file) for file in (*files, *([atlas] if atlas else []))]
    return digest([key, sample.id, sample.label, sample.slice, stamps])


def stamp(source: Path | npt.NDArray[Any]) -> list[Any]:
    """What tells that a file is still the same, without reading it; folders that moved as a whole stay what they are."""
    if not isinstance(source, Path):
        return [hashlib.blake2b(np.ascontiguousarray(source).tobytes(), digest_size=8).hexdigest()]
    found = source.stat() if source.exists() else None
    return [source.name, *([found.st_size, found.st_mtime_ns] if found else [])]
