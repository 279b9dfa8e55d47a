"""Telling PyTorch's zip files apart by what is in them, not by their suffix."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

Archive = Literal["torchscript", "export", "weights"]


def kind(path: Path) -> Archive | None:
    """What a file is, or ``None`` where it is no zip file."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(n.endswith("constants.pkl") for n in names) and any("/code/" in f"/{n}" for n in names):
        return "torchscript"
    if any(n.endswith(("archive_format", "serialized_exported_program.json")) for n in names):
        return "export"
    return "weights"
