"""Volumes that the page's reader can walk through: images, maps and labels, read from where the study has written them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from voxplain.errors import VoxplainError
from voxplain.report.page import WORST_FIRST
from voxplain.report.study.words import LIGHTS
from voxplain.report.templating import LEVELS
from voxplain.report.viewer import MB, Packed, ShownCase, ShownMap, ShownTarget, pack
from voxplain.study.results.compared import TILE_ROWS
from voxplain.study.volumes import ground_of, labels_of, map_of
from voxplain.study.working.held import case_of

if TYPE_CHECKING:
    from voxplain.report.page import Level
    from voxplain.report.study import ModelComparison
    from voxplain.study.results.rows import Judged
    from voxplain.study.running.board import Board


def shown_volumes(board: Board, pages: Sequence[ModelComparison], found: Sequence[Judged]) -> Packed | None:
    """The targets that have pictures, within the settings' room; None where maps are not kept or there is no room."""
    maps = board.plan.settings.maps
    if not maps.save or not maps.viewer:
        return None
    makers: list[Callable[[], ShownCase]] = []
    for page in pages:
        rows = [
            (one, target)
            for one in found
            if one.model == page.name
            for target in dict.fromkeys(t for m in one.maps.values() for t in m.get("pictures", {}))
        ]
        chosen: dict[str, list[str]] = {}
        for one, target in islice(rows, TILE_ROWS):
            chosen.setdefault(one.case, []).append(target)
        by_case = {one.case: one for one, _ in rows}
        for case, targets in chosen.items():
            makers.append(partial(_shown, board, page, by_case[case], targets, several=len(pages) > 1))
    return pack(makers, len(makers), maps.viewer * MB, three_d=maps.three_d)


def _shown(
    board: Board, page: ModelComparison, one: Judged, targets: Sequence[str], *, several: bool
) -> ShownCase:
    position = board.plan.case_ids.index(one.case)
    tasks = {t.who: t for t in board.plan.tasks if t.kind == "map" and t.group == (one.model, position)}
    case = case_of(board.plan, position)
    notes: list[str] = []
    ground = ground_of(case, notes)
    made = []
    for target in targets:
        maps = []
        for method, task in tasks.items():
            if target not in one.maps.get(method, {}).get("pictures", {}):
                continue
            if board.plan.methods[method].method.answer == "image":
                notes.append(f"{method} makes an image and no map of this one, so it is not in the viewer.")
                continue
            try:
                values = map_of(board.places.map(task, target, case), case, notes)
            except VoxplainError as error:
                notes.append(f"{method} for {target} is not in the viewer: {error}")
                continue
            unit = one.maps[method].get("unit", "attribution")
            maps.append(ShownMap(method, values, unit, *light_of(page, method)))
        if maps:
            made.append(ShownTarget(target, tuple(maps)))
    name = f"{one.case} – {page.name}" if several else one.case
    names = dict(enumerate(board.models.get(page.name, {}).get("classes", ())))
    asked = {t["class"] for t in one.asked["targets"] if t["name"] in targets}
    labels = labels_of(board.places.labels(next(iter(tasks.values())), case), case, names, asked)
    return ShownCase(name, ground, tuple(made), case.geometry, labels, tuple(dict.fromkeys(notes)))


def light_of(page: ModelComparison, method: str) -> tuple[Level, str]:
    """The light beside a method's map and its word: its verdict's, or its panel's where a test there is worse."""
    verdict = page.verdict(method)
    panel = next((p for p in page.trust if p.method == method), None)
    level: Level = "info" if verdict is None else LIGHTS.get(verdict.level, "info")
    word = "" if verdict is None else verdict.level
    if panel is not None and WORST_FIRST.index(panel.level) < WORST_FIRST.index(level):
        return panel.level, LEVELS[panel.level]
    return level, word
