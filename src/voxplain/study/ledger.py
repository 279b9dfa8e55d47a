"""What a run has finished: one marker per unit of work, written when all its files are whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxplain.report.files import write_whole


@dataclass(frozen=True)
class Ledger:
    """Markers ``<out>/ledger/<unit>.json``; a unit with the same key and untouched files is done.

    Attributes:
        out: folder of the results.
    """

    out: Path

    def done(self, unit: str, key: str) -> dict[str, Any] | None:
        """What the unit left, or None where it has to be done (again)."""
        marker = self._read(unit)
        if marker is None or marker.get("key") != key:
            return None
        whole = all(self._is_whole(path, digest) for path, digest in marker["files"].items())
        return dict(marker["result"]) if whole else None

    def finish(self, unit: str, key: str, files: Iterable[Path], result: Mapping[str, Any]) -> None:
        """Mark a unit as done; files of an older run of this unit that were not written again are removed."""
        digests = {self._name(path): digest(path) for path in files}
        older = (self._read(unit) or {}).get("files", {})
        marker = {"key": key, "files": digests, "result": dict(result)}
        write_whole(
            self._path(unit), json.dumps(marker, indent=1, ensure_ascii=False, default=_plain).encode()
        )
        for name, before in older.items():
            if name not in digests and self._is_whole(name, before):
                (self.out / name).unlink()

    def _path(self, unit: str) -> Path:
        return self.out / "ledger" / f"{unit}.json"

    def _name(self, path: Path) -> str:
        return path.relative_to(self.out).as_posix()

    def _read(self, unit: str) -> dict[str, Any] | None:
        try:
            marker = json.loads(self._path(unit).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        parts = marker if isinstance(marker, dict) else {}
        return parts if {"key", "files", "result"} <= set(parts) else None

    def _is_whole(self, name: str, before: str) -> bool:
        path = self.out / name
        return path.is_file() and digest(path) == before


def _plain(value: Any) -> Any:
    """NumPy's and torch's numbers as Python's."""
    return value.item() if hasattr(value, "item") else str(value)


def digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
