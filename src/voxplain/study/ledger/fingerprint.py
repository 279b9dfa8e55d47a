"""A hash of everything that a result depends on: image, network, software, and the settings that matter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import voxplain
from voxplain.study.ledger.journal import versions
from voxplain.study.ledger.ledger import digest
from voxplain.study.ledger.sources import source_files

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.model import Model
    from voxplain.study.settings.config import ExplainSettings


NOT_OF_THE_MAPS = {
    "image",
    "label",
    "out",
    "batch",
    "methods",
    "maps",
    "metrics",
    "nulls",
    "regions",
    "report",
}


def of_run(settings: ExplainSettings, case: Case, model: Model) -> str:
    """Equal for runs whose maps are equal. Device and batch do not count: they change rounding only."""
    plain = settings.model_dump(mode="json", exclude=NOT_OF_THE_MAPS)
    left = ("source", "weights", "device", "about")
    plain["model"] = {k: v for k, v in plain["model"].items() if k not in left}
    return of_parts(
        {
            "version": voxplain.__version__,
            "versions": versions(),
            "settings": plain,
            "files": of_named_files([plain["targets"], plain["mask"]]),
            # a factory's folders may be anything, such as a cache
            "arguments": of_named_files(plain["model"]["arguments"], folders=False),
            "classes": model.classes,
            "case": of_case(case),
            "model": of_model(model, settings.model.source),
        }
    )


def of_parts(parts: Mapping[str, Any]) -> str:
    """Hash of plain data, whatever the order of its keys."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def of_named_files(settings: Any, *, folders: bool = True) -> dict[str, list[str]]:
    """Hashes of the files that settings name, as in ``case:FILE``, ``mask:CLASS:FILE@margin`` or ``FILE``.

    Args:
        settings: text, or lists and mappings of settings.
        folders: whether an absolute path of a folder, such as a DICOM series, stands for the files in it.
    """
    found = {}
    for text in _texts(settings):
        for tail in _tails(text):
            files = _files(Path(tail), folders)
            if files:
                found[tail] = [digest(file) for file in files]
    return found


def _texts(settings: Any) -> Iterator[str]:
    if isinstance(settings, str):
        yield settings
    elif isinstance(settings, Mapping):
        for value in settings.values():
            yield from _texts(value)
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from _texts(value)


def _tails(text: str) -> Iterator[str]:
    """The text, and what stands after each of its colons, each with and without ``@score``.

    >>> list(_tails("mask:1:m.nii@margin"))[-2:]
    ['m.nii@margin', 'm.nii']
    """
    parts = text.strip().split(":")
    for start in range(len(parts)):
        tail = ":".join(parts[start:])
        yield from dict.fromkeys([tail, tail.rpartition("@")[0] or tail])


def _files(path: Path, folders: bool) -> list[Path]:
    try:
        if path.is_file():
            return [path]
        if folders and path.is_absolute() and path.is_dir():
            return sorted(file for file in path.rglob("*") if file.is_file())
    except (OSError, ValueError):  # text that can be no path, such as a very long one
        pass
    return []


def of_case(case: Case) -> str:
    """Hash of a case's values and place."""
    import numpy as np

    found = hashlib.sha256(f"{case.id} {case.image.shape}".encode())
    found.update(np.ascontiguousarray(case.image).data)
    if case.geometry is not None:
        found.update(np.ascontiguousarray(case.geometry.affine).data)
    if case.label is not None:
        found.update(np.ascontiguousarray(case.label).data)
    return found.hexdigest()


def of_model(model: Model, source: str) -> str:
    """Hash of a network: its file, its bundle's configs or its plans, its code, its structure and all its tensors."""
    from voxplain.model.nnunet import folder

    found = hashlib.sha256(repr(model.module).encode())
    path = Path(source)
    files = [path] if path.is_file() else sorted((path / "configs").glob("*")) if path.is_dir() else []
    files += folder.files(path)
    contents = [digest(file) for file in files if file.is_file()]
    # sorted by content: where the code lies does not matter
    contents += sorted(digest(file) for file in source_files(model.module, source))
    found.update(" ".join(contents).encode())
    tensors = {**model.module.state_dict(), **dict(model.module.named_buffers())}
    for name, value in sorted(tensors.items()):
        found.update(name.encode())
        if hasattr(value, "detach"):
            import torch

            flat = value.detach().cpu().contiguous().flatten()
            found.update(flat.view(torch.uint8).numpy().data if flat.numel() else b"")
    return found.hexdigest()
