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


def decision_key(asked: ClassifierSettings, decision: Decision, image: Tensor) -> str:
    """Of the classifier: its weights; of a black box the file that it is in, and what it says of an image (C, *S)."""
    if not asked.black_box:
        return weights_digest(decision)
    file = Path(asked.source if asked.kind == "onnx" else asked.source.rpartition(":")[0])
    code = hashlib.blake2b(file.read_bytes()).hexdigest() if file.is_file() else asked.source
    return digest([code, decision(image[None]).tolist()])


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
