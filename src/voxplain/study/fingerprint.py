"""A hash of everything that a result depends on: image, network, and the settings that matter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import voxplain
from voxplain.study.ledger import digest

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.model import Model
    from voxplain.study.config import ExplainSettings


def of_run(settings: ExplainSettings, case: Case, model: Model) -> str:
    """Equal for runs whose maps are equal. Device and batch do not count: they change rounding only."""
    plain = settings.model_dump(mode="json", exclude={"image", "label", "out", "batch", "methods", "maps"})
    plain["model"] = {k: v for k, v in plain["model"].items() if k not in ("source", "weights", "device")}
    return of_parts(
        {
            "version": voxplain.__version__,
            "settings": plain,
            "case": of_case(case),
            "mask": digest(settings.mask) if settings.mask and settings.mask.is_file() else None,
            "model": of_model(model, settings.model.source),
        }
    )


def of_parts(parts: Mapping[str, Any]) -> str:
    """Hash of plain data, whatever the order of its keys."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def of_named_files(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Hashes of the files that parameters name, as in ``baseline: case:FILE``."""
    texts = [t for value in parameters.values() for t in (value if isinstance(value, list) else [value])]
    names = [t.partition(":")[2] for t in texts if isinstance(t, str) and t.startswith("case:")]
    return {name: digest(Path(name)) for name in names if Path(name).is_file()}


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
    """Hash of a network: its file or its bundle's configs, its structure and all its tensors."""
    found = hashlib.sha256(repr(model.module).encode())
    path = Path(source.rpartition(":")[0] if ".py:" in source else source)
    files = [path] if path.is_file() else sorted((path / "configs").glob("*")) if path.is_dir() else []
    for file in files:
        found.update(digest(file).encode())
    for name, value in sorted(model.module.state_dict().items()):
        found.update(name.encode())
        if hasattr(value, "detach"):
            import torch

            flat = value.detach().cpu().contiguous().flatten()
            found.update(flat.view(torch.uint8).numpy().data if flat.numel() else b"")
    return found.hexdigest()
