"""What a run has finished: one marker per unit of work, written when all its files are whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxplain.case.atomic import write_whole

METRIC = "metric-"  # begins the units of `voxplain explain --metrics`


@dataclass(frozen=True)
class Ledger:
    """Markers ``<out>/ledger/<unit>.json``; a unit with the same key and untouched files is done.

    Attributes:
        out: folder of the results.
        trusting: whether a file of the size and time of change that it had is taken for whole without being read.
    """

    out: Path
    trusting: bool = False

    def done(self, unit: str, key: str) -> dict[str, Any] | None:
        """What the unit left, or None where it has to be done (again). Reads all the unit's files."""
        marker = self._read(unit)
        if marker is None or marker["key"] != key:
            return None
        seen = marker.get("seen", {}) if self.trusting else {}
        whole = all(self._is_whole(path, digest, seen.get(path)) for path, digest in marker["files"].items())
        return dict(marker["result"]) if whole else None

    def claim(self, unit: str, files: Iterable[Path]) -> None:
        """Note files before they are written, so that none is forgotten however the unit ends."""
        known = (self._read(unit) or {}).get("files", {})
        self._write(unit, None, {**known, **dict.fromkeys(map(self._name, files))}, {})

    def finish(self, unit: str, key: str, files: Iterable[Path], result: Mapping[str, Any]) -> dict[str, Any]:
        """Mark a unit as done; files of an older run of this unit that were not written again are removed.

        Returns:
            The result as `done` will return it.
        """
        digests = {self._name(path): digest(path) for path in files}
        older = (self._read(unit) or {}).get("files", {})
        stored = self._write(unit, key, digests, result)
        for name, before in older.items():
            if name not in digests:
                self._remove(name, before)
        return stored

    def fail(self, unit: str, result: Mapping[str, Any], *, keep: bool = False) -> dict[str, Any]:
        """Note how a unit failed; it is not done, and its files are removed, since half of them would pass for all.

        Args:
            keep: leave the files of an earlier try where they are.
        """
        for name, before in (self._read(unit) or {}).get("files", {}).items():
            if not keep:
                self._remove(name, before)
        return self._write(unit, None, {}, result)

    def drop(self, unit: str) -> None:
        """Forget a unit that failed and remove its files: half of its maps would pass for all of them."""
        for name, before in (self._read(unit) or {}).get("files", {}).items():
            self._remove(name, before)
        self._path(unit).unlink(missing_ok=True)

    def units(self) -> list[str]:
        """All units of which something lies in the folder."""
        names = sorted(path.stem for path in (self.out / "ledger").glob("*.json"))
        return [name for name in names if not name.startswith(".") and self._read(name)]

    def methods(self) -> dict[str, dict[str, Any]]:
        """Method -> what it left, in a folder of `voxplain explain`: metrics and the prediction are no methods."""
        units = (unit for unit in self.units() if not unit.startswith(METRIC))
        return {unit: left for unit in units if "rows" in (left := self.last(unit))}

    def key(self, unit: str) -> str | None:
        """Under which key the unit is done; none where it is not."""
        return (self._read(unit) or {}).get("key")

    def last(self, unit: str) -> dict[str, Any]:
        """What the unit left, whatever it was asked then."""
        return dict((self._read(unit) or {}).get("result", {}))

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
        shapes = (("files", dict), ("result", dict))
        return parts if "key" in parts and all(isinstance(parts.get(k), t) for k, t in shapes) else None

    def _write(
        self, unit: str, key: str | None, files: Mapping[str, str | None], result: Mapping[str, Any]
    ) -> dict[str, Any]:
        seen = {name: _seen(self.out / name) for name in files} if self.trusting else {}
        marker = {"key": key, "files": files, "seen": seen, "result": dict(result)}
        text = json.dumps(marker, indent=1, ensure_ascii=False, default=_plain)
        write_whole(self._path(unit), text.encode())
        return dict(json.loads(text)["result"])

    def _is_whole(self, name: str, before: str | None, seen: Any = None) -> bool:
        path = self.out / name
        if seen is not None and path.is_file() and _seen(path) == seen:
            return True
        return path.is_file() and digest(path) == before

    def _remove(self, name: str, before: str | None) -> None:
        """Remove a file that was only claimed, or that nobody has changed since, and the folder it leaves empty."""
        path = self.out / name
        inside = path.resolve().is_relative_to(self.out.resolve())
        if inside and (before is None or self._is_whole(name, before)):
            path.unlink(missing_ok=True)
            with suppress(OSError):
                path.parent.rmdir()


def _seen(path: Path) -> list[int] | None:
    """Size and time of change."""
    try:
        found = path.stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _plain(value: Any) -> Any:
    """NumPy's and torch's numbers as Python's."""
    return value.item() if hasattr(value, "item") else str(value)


def digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
