"""A folder of results as it lies there: whose they are, and where. No network is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxplain.errors import InputError, suggest
from voxplain.settings.reading import read_yaml
from voxplain.study.ledger.ledger import Ledger
from voxplain.study.planning.plan import folder_of
from voxplain.study.settings.names import name_of

if TYPE_CHECKING:
    pass

_SUFFIXES = ("nii.gz", "nii", "npz", "tif", "csv")


@dataclass(frozen=True)
class Stored:
    """Results of one model on one case; `given` is the case as the settings have it."""

    study: Path
    model: str
    case: str
    given: Mapping[str, Any]

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.study)

    @property
    def place(self) -> str:
        return folder_of(self.model, self.case)

    @property
    def classes(self) -> list[str]:
        """Names of the network's classes."""
        model = self.ledger.last(f"{self.place.split('/', maxsplit=1)[0]}/model")
        return [str(name) for name in model.get("classes", ())]

    @property
    def asked(self) -> dict[str, Any]:
        """What the network was asked about the case; empty where it was not."""
        found = self.ledger.last(f"{self.place}/ask")
        return found if found.get("status") == "ok" else {}

    @property
    def version(self) -> str:
        """A hash that tells versions of the network apart."""
        return str(self.asked.get("network", "unknown"))

    @property
    def images(self) -> list[Path]:
        """Files of the image."""
        image = self.given["image"]
        paths = [Path(p) for p in ([image] if isinstance(image, str) else image)]
        return [p if p.is_absolute() else self.study / p for p in paths]

    def methods(self) -> list[str]:
        """Methods that were run on the case."""
        folder = self.study / "ledger" / self.place
        return sorted(path.stem.removeprefix("map-") for path in folder.glob("map-*.json"))

    def told(self, method: str) -> dict[str, Any]:
        """What a method left beside its files."""
        return self.ledger.last(f"{self.place}/map-{method}")

    def map(self, method: str, target: str) -> Path | None:
        """A method's map of a target; none where it was not kept."""
        return self.file(f"maps/{self.place}/{method}/{target}")

    def labels(self) -> Path | None:
        """The predicted labels; none of a classifier."""
        path = self.file(f"predictions/{self.place}")
        return None if path is None or path.suffix == ".csv" else path

    def file(self, path: str) -> Path | None:
        """The file of that name with any suffix that results have."""
        found = (self.study / f"{path}.{suffix}" for suffix in _SUFFIXES)
        return next((file for file in found if file.is_file()), None)

    def when(self, methods: Iterable[str]) -> datetime:
        """When the last of these maps was made (UTC), as the journal has it; else when the folder was begun."""
        wanted = {f"{self.place}/ask", *(f"{self.place}/map-{method}" for method in methods)}
        times = (
            event["time"]
            for event in self.events()
            if event.get("event") == "settled" and event.get("status") == "ok" and event.get("task") in wanted
        )
        return self._latest(times, "study.yaml")

    def events(self) -> Iterator[dict[str, Any]]:
        """The journal, line by line."""
        journal = self.study / "log.jsonl"
        for line in journal.read_text(encoding="utf-8").splitlines() if journal.is_file() else ():
            if line.startswith("{"):
                yield json.loads(line)

    def _latest(self, times: Iterable[str], settings: str) -> datetime:
        found = [datetime.fromisoformat(time).astimezone(UTC) for time in times]
        begun = (self.study / settings).stat().st_mtime
        return max(found, default=datetime.fromtimestamp(begun, UTC)).replace(microsecond=0)


def stored(study: Path, case: str | None, model: str | None) -> Stored:
    """The results that are meant, by names that need not be given where there is one only.

    Raises:
        InputError: no study, or a name that it does not have.
    """
    if (study / "explain.yaml").is_file() and not (study / "study.yaml").is_file():
        from voxplain.study.results.stored_explanation import stored_explanation

        return stored_explanation(study, case, model)
    settings = settings_of(study)
    cases = {case_name(given): given for given in settings.get("cases", ())}
    chosen = one_of(study, "case", case, cases)
    return Stored(study, one_of(study, "model", model, settings.get("models", ())), chosen, cases[chosen])


def settings_of(study: Path) -> dict[str, Any]:
    """What a study was asked.

    Raises:
        InputError: the folder is none of a study.
    """
    if not (study / "study.yaml").is_file():
        raise InputError(
            f"{study}: holds no study.yaml, expected the folder of a finished `voxplain study` or `voxplain explain`"
        )
    return dict(read_yaml(study / "study.yaml"))


def case_name(given: Mapping[str, Any]) -> str:
    """The name of a case of the settings."""
    image = given["image"]
    return name_of(given.get("id"), Path(image if isinstance(image, str) else image[0]), given.get("slice"))


def one_of(study: Path, what: str, asked: str | None, known: Iterable[str]) -> str:
    """The name that is meant.

    Raises:
        InputError: it is not among those that are known, or there are several and none was given.
    """
    names = [str(name) for name in known]
    if asked is None and len(names) == 1:
        return names[0]
    if asked is None:
        raise InputError(f"{what}: {study} has {len(names)}, expected one of them; {suggest('', names)}")
    if asked not in names:
        raise InputError(f"{what}: {study} has no {asked!r}; {suggest(asked, names)}")
    return asked
