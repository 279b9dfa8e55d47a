"""A folder of maps that is filled case by case, so that what was cut off goes on where it was."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voxplain.case.atomic import whole, write_whole
from voxplain.errors import InputError
from voxplain.inherent.maps import Maps
from voxplain.inherent.maps_file import INDEX, arrays_of, file_of, index_of

_KEY = "key.json"


class MapsFolder:
    """What `read_maps` reads, written one case after the other.

    Args:
        folder: made where it is missing.
        key: what the maps depend on; a folder that was filled for another key is emptied first.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key
        told = json.dumps({"key": key}).encode()
        path = folder / _KEY
        if folder.exists() and (not path.exists() or path.read_bytes() != told):
            if any(folder.iterdir()) and not path.exists():
                raise InputError(f"{folder}: holds other files; name another folder, or remove it")
            shutil.rmtree(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, told)

    @classmethod
    def opened(cls, folder: Path) -> MapsFolder:
        """One that is there, whatever it was filled for.

        Raises:
            InputError: there is none.
        """
        try:
            return cls(folder, json.loads((folder / _KEY).read_text(encoding="utf-8"))["key"])
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{folder}: found no readable {_KEY}, expected a folder of maps") from error

    def start(self) -> None:
        """Cases are about to change: until `finish`, the folder cannot be read."""
        (self.folder / INDEX).unlink(missing_ok=True)

    def has(self, index: int) -> bool:
        """Whether that case is there."""
        return (self.folder / file_of(index)).exists()

    def add(self, index: int, case: Maps, about: Mapping[str, Any]) -> None:
        """Write one case, and what else is to be known of it, whole or not at all."""
        from safetensors.numpy import save_file

        told = {"case": json.dumps(index_of(case)), "about": json.dumps(about)}
        with whole(self.folder / file_of(index)) as temporary:
            save_file(arrays_of(case, 0), temporary, metadata=told)

    def about(self, index: int) -> dict[str, Any]:
        """What else is known of a case."""
        found: dict[str, Any] = json.loads(self._told(index)["about"])
        return found

    def count(self) -> int:
        """How many cases the index names.

        Raises:
            InputError: there is no index; the folder was not finished.
        """
        try:
            return len(json.loads((self.folder / INDEX).read_text(encoding="utf-8"))["cases"])
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{self.folder}: found no readable {INDEX}; predict again") from error

    def finish(self, count: int) -> None:
        """Write the index of the cases 0 … count − 1, remove any others; only then the folder can be read."""
        kept = {file_of(i) for i in range(count)}
        for path in self.folder.glob("*.safetensors"):
            if path.name not in kept:
                path.unlink()
        told = [json.loads(self._told(i)["case"]) for i in range(count)]
        index = {**told[0], "cases": [case for one in told for case in one["cases"]]}
        write_whole(self.folder / INDEX, json.dumps(index, indent=1, ensure_ascii=False).encode())

    def _told(self, index: int) -> dict[str, str]:
        from safetensors import SafetensorError, safe_open

        path = self.folder / file_of(index)
        try:
            with safe_open(path, "np") as file:
                found: dict[str, str] = file.metadata()
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path}: is cut off; remove it and predict again") from error
        return found
