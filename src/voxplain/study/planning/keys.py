"""Hashes of all that a task's result depends on; equal keys mean equal results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import voxplain
from voxplain.study.ledger.fingerprint import of_named_files, of_parts
from voxplain.study.ledger.journal import versions
from voxplain.study.ledger.ledger import digest
from voxplain.study.planning.redrawn import draw_of
from voxplain.study.planning.task import ALL_MAPS, NULLS
from voxplain.study.settings.region_config import LABEL, PREDICTED

if TYPE_CHECKING:
    from voxplain.study.planning.plan import Plan
    from voxplain.study.planning.task import Task
    from voxplain.study.settings.region_config import RegionSettings, RegionSource

NOT_OF_THE_RESULT = {"source", "weights", "device", "batch", "about"}


class Keys:
    """The keys of a plan's tasks.

    Args:
        models: model -> the hash of its network, as its own task found it.

    Attributes:
        costs: of all methods and metrics, whose costs are told with the prediction.
    """

    def __init__(self, plan: Plan, models: Mapping[str, str]) -> None:
        self.plan, self.models = plan, models
        self._software = {"version": voxplain.__version__, "versions": versions()}
        self._asked: dict[tuple[str, int], str] = {}
        self._contents: dict[Path, list[str]] = {}  # every model asks for the same cases
        regions = plan.settings.regions
        self.costs = of_parts(
            {
                "methods": {n: a.method.parameters() for n, a in plan.methods.items()},
                "metrics": {n: a.metric.parameters() for n, a in plan.metrics.items()},
                "nulls": plan.settings.nulls,
                "tables": {n: a.method.parameters() for n, a in plan.tables.items()},
                "games": {n: g.model_dump(mode="json") for n, g in plan.games.items()},
                "divisions": None if regions is None else _divisions(regions, regions.of),
            }
        )

    def ask(self, model: str, case: int) -> str:
        """Of a model's prediction of a case and the targets on it; the device changes rounding only."""
        if (model, case) not in self._asked:
            self._asked[model, case] = self._ask(model, case)
        return self._asked[model, case]

    def _ask(self, model: str, case: int) -> str:
        settings = self.plan.settings
        plain = settings.models[model].model_dump(mode="json", exclude=NOT_OF_THE_RESULT)
        if isinstance(plain["classes"], str):  # a file of their names, wherever it lies
            plain["classes"] = self._content(Path(plain["classes"]))
        own = plain.pop("targets")
        targets = settings.model_dump(mode="json", include={"targets"})["targets"] if own is None else own
        return of_parts(
            {
                **self._software,
                "network": self.models[model],
                "model": plain,
                "arguments": of_named_files(plain["arguments"], folders=False),
                "case": self._case(case),
                "targets": targets,
                "files": of_named_files(targets),
                "score": settings.score,
                "reduce": settings.reduce,
                "seed": settings.seed,
            }
        )

    def map(self, task: Task) -> str:
        """Of a method's maps."""
        asked = self.plan.methods[task.who]
        return of_parts(
            {
                "ask": self.ask(task.model, task.case),
                "method": asked.method.name,
                "parameters": asked.method.parameters(),
                "files": of_named_files(asked.spec.parameters),
            }
        )

    def shown(self, task: Task) -> str:
        """Of what is written of a method's maps for people."""
        shown = self.plan.settings.maps.model_dump(mode="json", include={"save", "format", "pictures"})
        return of_parts({"map": self.map(task), "shown": shown})

    def table(self, task: Task) -> str:
        """Of a method's sums over regions."""
        asked, regions = self.plan.tables[task.who], self._regions()
        return of_parts(
            {
                **self._of_divisions(task, regions.of),
                "method": asked.method.name,
                "parameters": asked.method.parameters(),
                "files": of_named_files(asked.spec.parameters),
                "shells": list(regions.shells),
                "weights": draw_of(task.family, self.plan.case_ids[task.case]) if task.family else "",
            }
        )

    def game(self, task: Task) -> str:
        """Of what regions are worth: those of the game's own division, whatever others stand beside it."""
        asked = self.plan.games[task.who]
        return of_parts(
            {
                **self._of_divisions(task, [self._regions().division_of(asked)]),
                "game": asked.model_dump(mode="json"),
                "files": of_named_files({"baseline": asked.baseline}),
            }
        )

    def _regions(self) -> RegionSettings:
        assert self.plan.settings.regions is not None
        return self.plan.settings.regions

    def _of_divisions(self, task: Task, sources: Sequence[RegionSource]) -> dict[str, Any]:
        """How the image is cut, and by which files."""
        case, name = self.plan.settings.cases[task.case], self.plan.case_ids[task.case]
        files = [source.file_of(name, case.label) for source in sources]
        return {
            "ask": self.ask(task.model, task.case),
            "divisions": _divisions(self._regions(), sources),
            "contents": [None if file is None else self._content(file) for file in files],
        }

    def metric(self, task: Task, metric: str, maps: Mapping[str, str]) -> str:
        """Of one metric's figures of some maps, given by method and key."""
        asked = self.plan.metrics[metric]
        return of_parts(
            {
                "ask": self.ask(task.model, task.case),
                "metric": metric,
                "parameters": asked.metric.parameters(),
                "files": of_named_files(asked.spec.parameters),
                # elsewhere a map is judged alone, whatever stands beside it
                "nulls": self.plan.settings.nulls if task.who in (NULLS, ALL_MAPS) else None,
                "who": task.who,
                "maps": dict(maps),
            }
        )

    def agreement(self, maps: Mapping[str, str]) -> str:
        """Of the likeness of maps, given by method and key, to each other."""
        return of_parts({"kind": self.plan.settings.compare.agreement, "maps": dict(maps)})

    def _case(self, case: int) -> dict[str, Any]:
        given = self.plan.settings.cases[case]
        plain = given.model_dump(mode="json", include={"series", "slice", "fill_nan"})
        files: dict[str, list[Path | None]] = {
            "image": list(given.image),
            "label": [given.label],
            "mask": [given.mask],
        }
        hashes = {name: [self._content(p) for p in paths if p is not None] for name, paths in files.items()}
        return {**plain, "id": self.plan.case_ids[case], **hashes}

    def _content(self, path: Path) -> list[str]:
        if path not in self._contents:
            self._contents[path] = _hashes(path)
        return self._contents[path]


def _divisions(regions: RegionSettings, sources: Sequence[RegionSource]) -> Any:
    """How images are cut into the regions of these divisions, whatever files of labels are called."""
    of = [
        {"name": s.told, "labels": s.labels, "kind": s.source in (PREDICTED, LABEL) and s.source}
        for s in sources
    ]
    return {"of": of, "merge": regions.merge}


def _hashes(path: Path) -> list[str]:
    """Of a file, of both files of an Analyze or NIfTI pair, or of the files of a folder, such as a DICOM series."""
    if path.is_file():
        pair = [path.with_suffix(s) for s in (".hdr", ".img")] if path.suffix in (".hdr", ".img") else [path]
        files = [p for p in pair if p.is_file()]
    else:
        files = sorted(p for p in path.rglob("*") if p.is_file())
    return [digest(file) for file in files]
