"""A study's folder: what is asked stands in its settings, what is done in its ledger."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from voxplain.report.study.words import LIGHTS
from voxplain.settings.fields import CHECKED
from voxplain.settings.reading import read_yaml
from voxplain.study.planning.plan import plan
from voxplain.study.results.compared import verdicts_of
from voxplain.study.results.rows import judged_of
from voxplain.study.running.board import Board
from voxplain.study.settings.anchor import anchored_study
from voxplain.study.settings.study_config import StudySettings
from voxplain.study.volumes import labels_of, map_of
from voxplain.study.working.held import case_of
from voxplain.viewing.folder.checked import checked
from voxplain.viewing.folder.folder import Figures, Item, Light
from voxplain.viewing.folder.inside import inside, is_inside

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.report.viewer import ShownLabels
    from voxplain.study.planning.task import Task
    from voxplain.study.results.rows import Judged

HERE: dict[str, Light] = {
    "holds": ("good", "holds here"),
    "partly": ("warn", "partly here"),
    "fails": ("bad", "fails here"),
    "nothing": ("info", "not tested"),
}


class StudyFolder:
    """Results of `voxplain study`, finished or not. No network is ever loaded.

    Args:
        out: the folder, without links.

    Raises:
        InputError: its settings cannot be read.
    """

    def __init__(self, out: Path) -> None:
        given = anchored_study(read_yaml(inside(out, out / "study.yaml")), out)
        # it may have been moved since
        settings = checked(StudySettings, {**given, "out": str(out)}, out / "study.yaml", CHECKED)
        self.out, self.plan = out, plan(settings)
        self.title = settings.title or "Study"
        self.board = Board(self.plan, [])
        self._tasks: dict[tuple[str, int], list[Task]] = defaultdict(list)
        for task in self.plan.tasks:
            if task.kind != "model":
                self._tasks[task.group].append(task)
        several = len(settings.models) > 1
        self.items = tuple(
            Item(n, model, (case := self.plan.case_ids[at]), at, f"{case} – {model}" if several else case)
            for n, (model, at) in enumerate(sorted(self._tasks, key=lambda group: group[1]))
        )
        self._figures: dict[int, tuple[tuple[int, ...], Figures]] = {}

    def maps(self, item: Item) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        if not self.plan.settings.maps.save:
            return found
        for task in self._kind(item, "map"):
            made = self.board.ledger.last(task.name)
            if made.get("status") != "ok" or self.plan.methods[task.who].method.answer == "image":
                continue
            for row in made.get("rows", ()):
                if row.get("status") == "ok":
                    found.setdefault(str(row["target"]), {})[task.who] = str(made.get("unit", "attribution"))
        return found

    def without(self, item: Item) -> list[str]:
        if not self.board.ledger.last(self._kind(item, "ask")[0].name):
            return ["The study has not come to this case yet."]
        lines = [] if self.plan.settings.maps.save else ["This study keeps no maps (maps.save)."]
        for task in self._kind(item, "map"):
            made = self.board.ledger.last(task.name)
            if not made:
                lines.append(f"{task.who}: not done yet.")
            elif made.get("status") != "ok":
                lines.append(f"{task.who}: {made.get('status')}: {made.get('note', '')}")
            elif self.plan.methods[task.who].method.answer == "image":
                lines.append(f"{task.who} makes an image and no map of this one, so it is not shown.")
        return lines

    def read_case(self, item: Item) -> Case:
        return case_of(self.plan, item.position)

    def read_map(self, item: Item, target: str, method: str, case: Case) -> NDArray[Any]:
        task = next(t for t in self._kind(item, "map") if t.who == method)
        path = self.board.places.map(task, target, case)
        inside(self.out, path)
        return map_of(path, case, [])  # by its own name, which tells the format

    def read_labels(self, item: Item, case: Case) -> tuple[ShownLabels, ...]:
        ask = self._kind(item, "ask")[0]
        path = self.board.places.labels(ask, case)
        if path.is_file():
            inside(self.out, path)
        model = next(t for t in self.plan.tasks if t.kind == "model" and t.model == item.model)
        names = dict(enumerate(self.board.ledger.last(model.name).get("classes", ())))
        asked = {t["class"] for t in self.board.ledger.last(ask.name).get("targets", ())}
        return labels_of(path, case, names, asked)

    def figures(self, item: Item) -> Figures:
        """As the ledger has them now; what has not changed is not read again."""
        seen = self._seen(item)
        known = self._figures.get(item.number)
        if known is None or known[0] != seen:
            found = judged_of(self.board, (item.model, item.position))
            known = self._figures[item.number] = (seen, _figures(self, found))
        return known[1]

    def verdicts(self, model: str) -> dict[str, Light]:
        table = self.out / "tables" / "verdicts.csv"
        if not is_inside(self.out, table):
            return {}
        with table.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row.get("model") == model]
        return {row["method"]: (LIGHTS.get(row["level"], "info"), row["level"]) for row in rows}

    def region_table(self) -> Path | None:
        table = self.out / "tables" / "regions.parquet"
        return table if is_inside(self.out, table) else None

    def _kind(self, item: Item, kind: str) -> list[Task]:
        return [t for t in self._tasks[item.model, item.position] if t.kind == kind]

    def _seen(self, item: Item) -> tuple[int, ...]:
        """When results of the item were last written: markers and figures replace one another in these folders."""
        folder = self.plan.folder(self._kind(item, "ask")[0])
        places = (self.out / "ledger" / folder, self.out / "judged" / folder)
        return tuple(p.stat().st_mtime_ns if p.is_dir() else 0 for p in places)


def _figures(study: StudyFolder, found: Judged | None) -> Figures:
    if found is None:
        return Figures()
    scores = zip(found.asked["targets"], found.asked.get("scores", ()), strict=False)
    told = {v.method: HERE[v.here] for v in verdicts_of(study.plan, found.rows)}
    return Figures(
        scores={t["name"]: float(s) for t, s in scores if s is not None and math.isfinite(s)},
        cells={
            (r["metric"], r["method"], r["target"]): float(r["value"])
            for r in found.rows
            if math.isfinite(r["value"])
        },
        lights={method: told.get(method, HERE["nothing"]) for method in found.maps},
    )
