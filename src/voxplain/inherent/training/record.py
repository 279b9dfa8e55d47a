"""What a training is, so that only the same one goes on in its folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from voxplain.case.atomic import write_whole
from voxplain.errors import InputError
from voxplain.inherent.data.sample import Sample, Samples
from voxplain.inherent.data.split import Split
from voxplain.inherent.training.settings import WHEREABOUTS, TrainingSettings
from voxplain.model import Preparation

NAME = "training.json"


def record(
    network: nn.Module, samples: Samples, split: Split, settings: TrainingSettings, preparation: Preparation,
    made_by: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """All that decides what weights come out; JSON-able.

    Of the weights that go in only what the network was ``made_by`` tells, such as its seed.
    """
    shapes = [(name, list(value.shape)) for name, value in network.state_dict().items()]
    return {
        "settings": settings.model_dump(mode="json", exclude=set(WHEREABOUTS)),
        "classes": list(samples.classes),
        "preparation": repr(preparation),
        "samples": labels_digest(samples),
        "split": digest(split.ids(samples)),
        "images": contents_digest([samples[i] for i in (*split.train, *split.validation)]),
        "network": f"{type(network).__name__} {digest(shapes)}",
        "head": head_of(network),
        **({"made by": dict(made_by)} if made_by else {}),
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


def head_of(network: nn.Module) -> list[Any]:
    """What changes a network without changing the shape of a weight: pool, where it is, and what is dropped."""
    pool = getattr(network, "pool", None)
    place = getattr(network, "pool_at", None)
    told = [type(pool).__name__, getattr(pool, "share", None), place if isinstance(place, str) else None]
    dropped = [m.p for m in network.modules() if isinstance(m, nn.modules.dropout._DropoutNd)]
    return [*told, *dropped]


def contents_digest(samples: Sequence[Sample]) -> str:
    """Of all that images hold, whatever their files are called or when they were written."""
    found, seen = hashlib.blake2b(digest_size=8), dict[Path, str]()
    for sample in samples:
        for source in sample.image if isinstance(sample.image, tuple) else (sample.image,):
            if isinstance(source, Path):
                if source not in seen:  # slices share their volume
                    seen[source] = _content(source)
                found.update(seen[source].encode())
            else:
                found.update(f"{source.dtype} {source.shape}".encode())
                found.update(np.ascontiguousarray(source).tobytes())
    return found.hexdigest()


def _content(path: Path) -> str:
    """Of a file, or of all files in a folder; empty where it cannot be read, which its reader will tell."""
    found = hashlib.blake2b(digest_size=8)
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        try:
            with file.open("rb") as opened:
                found.update(hashlib.file_digest(opened, "blake2b").digest())
        except OSError:
            continue
    return found.hexdigest()


def digest(value: Any) -> str:
    """A short name for a JSON-able value."""
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=8).hexdigest()
