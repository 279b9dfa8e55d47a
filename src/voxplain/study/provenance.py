"""What a result rests on: hashes of image, network and weights, each read once, and nothing of the patient."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxplain.case.formats import stem
from voxplain.errors import VoxplainError
from voxplain.report.identity import DICOM
from voxplain.study.ledger.ledger import digest

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.model import Model
    from voxplain.study.settings.config import ModelSettings

_WEIGHTS = (".pt", ".pth", ".ts", ".pt2", ".safetensors")
_TOLD = ("version", "data_source", "data_type", "intended_use")


def now() -> str:
    """Date and time of this place, to the minute."""
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")


def of_images(images: Sequence[Path], case: Case, series: str | None = None) -> list[dict[str, Any]]:
    """Of every image file: what it is called, its size, its hash. Of DICOM neither names nor headers are told.

    Args:
        series: which of a folder's.
    """
    is_dicom = case.meta.get("format") == "DICOM"
    return [_of_series(path, series) if is_dicom else _of_file(path) for path in images]


def _of_file(path: Path) -> dict[str, Any]:
    files = _pair(path) if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    return {"image": path.name, **_hashed(files)}


def _pair(path: Path) -> list[Path]:
    """An Analyze or NIfTI pair is two files."""
    if path.suffix not in (".hdr", ".img"):
        return [path]
    return [p for p in (path.with_name(stem(path) + s) for s in (".hdr", ".img")) if p.is_file()]


def _of_series(path: Path, series: str | None) -> dict[str, Any]:
    from voxplain.case.dicom.headers import find_headers
    from voxplain.case.dicom.series import choose

    with suppress(VoxplainError):
        headers, _ = find_headers(path)
        return {"image": DICOM, **_hashed([h.path for h in choose(path, headers, series)])}
    return {"image": DICOM}


def _hashed(files: Iterable[Path]) -> dict[str, Any]:
    listed = list(files)
    return {
        "files": len(listed),
        "MB": round(sum(f.stat().st_size for f in listed) / 1e6, 3),
        "SHA-256": combined(listed),
    }


def combined(files: Sequence[Path]) -> str:
    """SHA-256 of a file, read in pieces; of several that of their hashes in hexadecimal, sorted, one a line."""
    hashes = sorted(digest(file) for file in files)
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def of_model(settings: ModelSettings, model: Model) -> dict[str, Any]:
    """Of a network: what made it, the hashes of its source and its weights, its size, what is known of it."""
    place = Path(settings.source)
    file = place if place.exists() else Path(settings.source.rpartition(":")[0] or settings.source)
    found: dict[str, Any] = {"network": type(model.module).__name__, "source": place.name}
    if file.is_file():
        found["file SHA-256"] = digest(file)
    if settings.weights is not None:
        found |= {"weights": settings.weights.name, "weights SHA-256": digest(settings.weights)}
    elif place.is_dir():
        held = sorted(p for p in place.rglob("*") if p.suffix in _WEIGHTS and p.is_file())
        if held:
            found |= {
                "weights": f"{len(held)} file{'' if len(held) == 1 else 's'} of the folder",
                "weights SHA-256": combined(held),
            }
    found["parameters"] = sum(p.numel() for p in model.module.parameters())
    found["device"] = str(model.device)
    about = "; ".join(filter(None, [settings.about, *_of_bundle(place)]))
    return {**found, **({"about": about} if about else {})}


def _of_bundle(folder: Path) -> list[str]:
    """What a MONAI bundle, or an nnU-Net's dataset.json, says of its version and training data."""
    told = []
    for file in (folder / "configs" / "metadata.json", folder / "dataset.json"):
        with suppress(OSError, ValueError):
            known = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(known, dict):
                told += [f"{k.replace('_', ' ')}: {known[k]}" for k in _TOLD if isinstance(known.get(k), str)]
                if isinstance(known.get("numTraining"), int):
                    told.append(f"trained on {known['numTraining']} cases")
    return told
