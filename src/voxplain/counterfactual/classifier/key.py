"""Short names for a classifier and for files, so that only what depends on something new is done again."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from voxplain.counterfactual.classifier.decision import Decision
from voxplain.counterfactual.classifier.settings import ClassifierSettings
from voxplain.inherent.training.record import digest

_CODE = (".py", ".json", ".yaml", ".yml")  # of a bundle: what decides the network besides its weights


def decision_key(asked: ClassifierSettings, decision: Decision, image: Tensor) -> str:
    """Of the classifier: its weights, code and settings; of a black box the file and what it says of an image (C, *S)."""
    if asked.black_box:
        return digest([_code(asked), decision(image[None]).tolist()])
    ends = [decision.healthy, decision.diseased]  # an order of classes that was corrected turns all answers
    return digest([weights_digest(decision), _code(asked), asked.arguments, asked.head, ends])


def _code(asked: ClassifierSettings) -> str:
    """The content of what is read as a classifier; of what is imported by name, or an address, the source itself."""
    name = asked.source.rpartition(":")[2] if asked.source.rpartition(":")[0].endswith(".py") else ""
    place = Path(asked.source.removesuffix(f":{name}") if name else asked.source)
    if place.is_dir():
        files = [file for file in sorted(place.rglob("*")) if file.suffix in _CODE and file.is_file()]
    else:
        files = [place] if place.is_file() else []
    if not files:
        return asked.source
    found = hashlib.blake2b(name.encode())
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()


def weights_digest(module: nn.Module) -> str:
    """A short name for all tensors of a module."""
    found = hashlib.blake2b(digest_size=8)
    for name, value in module.state_dict().items():
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def stamp(source: Path | npt.NDArray[Any]) -> list[Any]:
    """What tells that a file is still the same, without reading it; folders that moved as a whole stay what they are."""
    if not isinstance(source, Path):
        return [hashlib.blake2b(np.ascontiguousarray(source).tobytes(), digest_size=8).hexdigest()]
    if source.is_dir():
        return [stamp(file) for file in sorted(source.rglob("*")) if file.is_file()]
    found = source.stat() if source.exists() else None
    return [source.name, *([found.st_size, found.st_mtime_ns] if found else [])]
