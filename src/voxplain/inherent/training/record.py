"""What a training is, so that only the same one goes on in its folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from torch import nn

from voxplain.case.atomic import write_whole
from voxplain.errors import InputError
from voxplain.inherent.data.sample import Samples
from voxplain.inherent.data.split import Split
from voxplain.inherent.training.settings import WHEREABOUTS, TrainingSettings
from voxplain.model import Preparation

NAME = "training.json"


def record(
    network: nn.Module, samples: Samples, split: Split, settings: TrainingSettings, preparation: Preparation
) -> dict[str, Any]:
    """All that decides what weights come out, except for those that go in; JSON-able."""
    shapes = [(name, list(value.shape)) for name, value in network.state_dict().items()]
    return {
        "settings": settings.model_dump(mode="json", exclude=set(WHEREABOUTS)),
        "classes": list(samples.classes),
        "preparation": repr(preparation),
        "samples": labels_digest(samples),
        "split": digest(split.ids(samples)),
        "network": f"{type(network).__name__} {digest(shapes)}",
    }


def claim(out: Path, told: dict[str, Any]) -> None:
    """Write the record into a new folder, or see that the folder holds the same training.

    Raises:
        InputError: it holds another one.
    """
    path = out / NAME
    if not path.exists():
        if (out / "last.json").exists():
            raise InputError(f"out: {out} holds checkpoints without {NAME}; name another folder")
        write_whole(path, (json.dumps(told, indent=1) + "\n").encode())
        return
    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); name another folder") from None
    differences = _differences(before, json.loads(json.dumps(told)))
    if differences:
        raise InputError(
            f"out: {out} holds another training ({'; '.join(differences[:3])}); name another folder, or remove this one"
        )


def write_split(out: Path, samples: Samples, split: Split) -> None:
    """``split.json``: the ids of every part, and what the split came from."""
    told = {"grouped": split.grouped, "seed": split.seed, **split.ids(samples)}
    write_whole(out / "split.json", (json.dumps(told, indent=1) + "\n").encode())


def _differences(before: Any, now: Any, name: str = "") -> list[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*before, *now])
        return [
            text
            for key in keys
            for text in _differences(before.get(key), now.get(key), f"{name}.{key}".lstrip("."))
        ]
    return [] if before == now else [f"{name} was {before}, is {now}"]


def labels_digest(samples: Samples) -> str:
    """Of what is learned from: ids, patients and labels."""
    return digest([(sample.id, sample.group, sample.label) for sample in samples])


def digest(value: Any) -> str:
    """A short name for a JSON-able value."""
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=8).hexdigest()
