"""log.jsonl: what happened and when, one JSON object per line, for people and programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from voxplain.errors import InputError

SOFTWARE = ("voxplain", "torch", "monai", "numpy", "scipy", "scikit-image", "nibabel")


class Journal:
    """Lines that are appended to a file as things happen."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self, event: str, **facts: object) -> None:
        """Append one event.

        Raises:
            InputError: the file cannot be written, e.g. because the disk is full.
        """
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be written ({error.strerror}); choose another --out"
            ) from None

    @contextmanager
    def until_stopped(self) -> Iterator[None]:
        """Note what ended the work, if it did not end by itself."""
        try:
            yield
        except BaseException as error:
            # the file may be what failed: the first error is the one to tell
            with suppress(InputError):
                self.note("stopped", error=f"{type(error).__name__}: {error}")
            raise


def versions(names: Iterable[str] = SOFTWARE) -> dict[str, str]:
    """Versions of the software that a result depends on."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
