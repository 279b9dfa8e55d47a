"""The folder of `voxplain explain`, which holds one case and one model, read as a study's is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from voxplain.errors import InputError
from voxplain.settings.reading import read_yaml
from voxplain.study.ledger.ledger import Ledger
from voxplain.study.results.stored import Stored, one_of
from voxplain.target.scene import slug

SETTINGS = "explain.yaml"
PREDICTION = "prediction"


@dataclass(frozen=True)
class StoredExplanation(Stored):
    """Results of one explanation."""

    @property
    def place(self) -> str:
        return slug(self.case)

    @property
    def asked(self) -> dict[str, Any]:
        return self.ledger.last(PREDICTION)

    @property
    def classes(self) -> list[str]:
        return [str(name) for name in self.asked.get("classes", ())]

    @property
    def version(self) -> str:
        network = self.asked.get("network", {})
        known = network.get("weights SHA-256") or network.get("file SHA-256") or "unknown"
        return str(known)[:12]

    def methods(self) -> list[str]:
        return sorted(self.ledger.methods())

    def told(self, method: str) -> dict[str, Any]:
        found = self.ledger.last(method)
        return {**found, "parameters": found.get("card", {}).get("parameters", {})}

    def labels(self) -> Path | None:
        path = self.file(PREDICTION)
        return None if path is None or path.suffix == ".csv" else path

    def when(self, methods: Iterable[str]) -> datetime:
        wanted = set(methods)
        times = (e["time"] for e in self.events() if e.get("event") == "done" and e.get("method") in wanted)
        return self._latest(times, SETTINGS)


def stored_explanation(folder: Path, case: str | None, model: str | None) -> StoredExplanation:
    """What `voxplain explain` left in a folder.

    Raises:
        InputError: nothing was predicted yet, or names that it does not have.
    """
    overview = Ledger(folder).last(PREDICTION)
    if not overview:
        raise InputError(f"{folder}: nothing was predicted yet; run `voxplain explain` on")
    return StoredExplanation(
        folder,
        one_of(folder, "model", model, [overview["model"]]),
        one_of(folder, "case", case, [overview["case"]]),
        dict(read_yaml(folder / SETTINGS)),
    )
