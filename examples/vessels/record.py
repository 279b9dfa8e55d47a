"""What is made already, with which settings: made.json, so that nothing is made twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voxplain.case.atomic import write_whole


@dataclass
class Record:
    """The content of a folder's made.json.

    Attributes:
        folder: where it lies, with what is made.
        settings: of everything in it; others make everything anew.
        made: by name, the SHA-256 of its files and what is known of it.
    """

    folder: Path
    settings: dict[str, Any]
    made: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, settings: dict[str, Any]) -> Record:
        """What a folder holds of these settings; nothing where made.json is missing, damaged or of others."""
        try:
            found = json.loads((folder / "made.json").read_text(encoding="utf-8"))
            made = found["made"] if found["settings"] == settings else {}
        except (OSError, ValueError, KeyError, TypeError):
            made = {}
        return cls(folder, settings, made)

    def has(self, name: str, files: Sequence[str]) -> bool:
        """Whether all of these files are there as they were written."""
        known = self.made.get(name, {}).get("files", {})
        return list(known) == list(files) and all(
            (self.folder / file).is_file() and _hash(self.folder / file) == known[file] for file in files
        )

    def add(self, name: str, files: Sequence[str], about: dict[str, Any]) -> None:
        """Note files that are written, and write made.json: whatever comes later, they count as made."""
        self.made[name] = about | {"files": {file: _hash(self.folder / file) for file in files}}
        write_whole(self.folder / "made.json", (json.dumps(self.content(), indent=1) + "\n").encode())

    def content(self) -> dict[str, Any]:
        """As made.json holds it."""
        return {"settings": self.settings, "made": self.made}


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
