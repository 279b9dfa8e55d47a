"""The folder of `voxplain explain`: one case, several methods."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.report.templating import LEVELS
from voxplain.settings.fields import CHECKED
from voxplain.settings.reading import read_yaml
from voxplain.study.explaining.page import tested
from voxplain.study.explaining.paths import map_path, prediction_path
from voxplain.study.explaining.units import METRIC, PREDICTION, method_results
from voxplain.study.ledger.ledger import Ledger
from voxplain.study.make import make_case
from voxplain.study.settings.anchor import anchored
from voxplain.study.settings.config import ExplainSettings
from voxplain.study.volumes import labels_of, map_of
from voxplain.viewing.folder.checked import checked
from voxplain.viewing.folder.folder import Figures, Item, Light
from voxplain.viewing.folder.inside import inside

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.report.page import Level
    from voxplain.report.viewer import ShownLabels

WORST: tuple[Level, ...] = ("bad", "warn", "good", "info")
WORDS: dict[Level, str] = {
    "good": "checks pass",
    "warn": "doubtful",
    "bad": "a check fails",
    "info": "not checked",
}
FREE = ("completeness_gap", "agreement", "surrogate_r2")  # figures that came with the maps


class ExplainFolder:
    """Results of `voxplain explain`. No network is ever loaded.

    Args:
        out: the folder, without links.

    Raises:
        InputError: its settings cannot be read, or nothing was predicted yet.
    """

    def __init__(self, out: Path) -> None:
        given = anchored(read_yaml(inside(out, out / "explain.yaml")), out)
        self.settings = checked(ExplainSettings, {**given, "out": str(out)}, out / "explain.yaml", CHECKED)
        self.out, self.ledger = out, Ledger(out, trusting=True)
        overview = self.ledger.last(PREDICTION)
        if not overview:
            raise InputError(f"{out}: nothing was predicted yet, so that there is nothing to see; run it on")
        self.title = "Explanation"
        self.items = (Item(0, str(overview["model"]), str(overview["case"]), 0, str(overview["case"])),)

    def maps(self, item: Item) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for method, made in self._made().items():
            for row in made["rows"] if self.settings.maps.save else ():
                if row["status"] == "ok" and made.get("answer") != "image":
                    unit = str(made.get("unit", "attribution"))
                    found.setdefault(str(row["target"]), {})[method] = unit
        return found

    def without(self, item: Item) -> list[str]:
        if not self.settings.maps.save:
            return ["No maps were kept (maps.save)."]
        rows = [row for made in self._made().values() for row in made["rows"] if row["status"] != "ok"]
        return [f"{r['method']}, {r['target']}: {r['status']} {r.get('note', '')}".strip() for r in rows]

    def read_case(self, item: Item) -> Case:
        return make_case(self.settings)

    def read_map(self, item: Item, target: str, method: str, case: Case) -> NDArray[Any]:
        path = map_path(self.settings, case, method, target)
        inside(self.out, path)
        return map_of(path, case, [])  # by its own name, which tells the format

    def read_labels(self, item: Item, case: Case) -> tuple[ShownLabels, ...]:
        path = prediction_path(self.settings, case)
        if path.is_file():
            inside(self.out, path)
        rows = [row for made in self._made().values() for row in made["rows"]]
        asked = {str(row["class"]) for row in rows if row.get("class_index") is not None}
        names = dict(enumerate(map(str, self.ledger.last(PREDICTION).get("classes", ()))))
        names |= {int(r["class_index"]): str(r["class"]) for r in rows if r.get("class_index") is not None}
        return labels_of(path, case, names, asked)

    def figures(self, item: Item) -> Figures:
        scores: dict[str, float] = {}
        cells: dict[tuple[str, str, str], float] = {}
        for method, made in self._made().items():
            for row in made["rows"]:
                target = str(row["target"])
                if _is_number(row.get("score")):
                    scores[target] = float(row["score"])
                cells |= {(n, method, target): float(row[n]) for n in FREE if _is_number(row.get(n))}
        return Figures(scores, cells, self._lights())

    def verdicts(self, model: str) -> dict[str, Light]:
        return self._lights()

    def region_table(self) -> Path | None:
        return None

    def _lights(self) -> dict[str, Light]:
        """Method -> the light that the page has: of its tests where there were any, else of its maps' own checks."""
        made, units = self._made(), self.ledger.units() if self.settings.metrics else []
        rows = [r for u in units if u.startswith(METRIC) for r in self.ledger.last(u).get("rows", ())]
        panels = {p.method: p.level for p in tested(list(made), list(made.values()), rows)} if rows else {}
        return {method: _light(left, panels.get(method)) for method, left in made.items()}

    def _made(self) -> dict[str, dict[str, Any]]:
        """Method -> what it left."""
        return {method: made for method, made in method_results(self.ledger).items() if "rows" in made}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _light(made: dict[str, Any], judged: Level | None) -> Light:
    """That of the tests; a fault of a map itself is stronger, and without tests the worst check of the maps counts."""
    levels: set[Level] = {f["level"] for section in made.get("sections", ()) for f in section["findings"]}
    level: Level = next((level for level in WORST if level in levels), "info")
    return (level, WORDS[level]) if judged is None or level == "bad" else (judged, LEVELS[judged])
