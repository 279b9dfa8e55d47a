"""Volumes that the page's reader can walk through: images, maps and labels, read from where the study has written them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from voxplain.case import read_case
from voxplain.errors import InputError, VoxplainError
from voxplain.report.study.words import LIGHTS
from voxplain.report.templating import LEVELS
from voxplain.report.viewer import MB, Packed, ShownCase, ShownLabels, ShownMap, ShownTarget, pack
from voxplain.study.results.compared import TILE_ROWS
from voxplain.study.working.held import case_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from voxplain.case import Case
    from voxplain.report.page import Level
    from voxplain.report.study import ModelComparison
    from voxplain.study.planning.task import Task
    from voxplain.study.results.rows import Judged
    from voxplain.study.running.board import Board


_WORSE: tuple[Level, ...] = ("bad", "warn", "info", "good")


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
    return pack(makers, len(makers), maps.viewer * MB)


def _shown(
    board: Board, page: ModelComparison, one: Judged, targets: Sequence[str], *, several: bool
) -> ShownCase:
    position = board.plan.case_ids.index(one.case)
    tasks = {t.who: t for t in board.plan.tasks if t.kind == "map" and t.group == (one.model, position)}
    case = case_of(board.plan, position)
    notes: list[str] = []
    ground = _ground(case, notes)
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
                values = _map(board, task, target, case, notes)
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
    labels = _labels(next(iter(tasks.values())), board, case, names, asked)
    return ShownCase(name, ground, tuple(made), case.geometry, labels, tuple(dict.fromkeys(notes)))


def _ground(case: Case, notes: list[str]) -> NDArray[Any]:
    """What lies under the map; colours of a picture would pass for the map's, so it is grey."""
    if case.channels == 3 and case.spatial_dims == 2 and case.geometry is None:
        notes.append("The picture's three colours are shown as their mean.")
        return np.asarray(case.image.mean(axis=0))
    if case.channels > 1:
        notes.append(f"The image is channel 0 of {case.channels}.")
    return np.asarray(case.image[0])


def _map(board: Board, task: Task, target: str, case: Case, notes: list[str]) -> NDArray[Any]:
    """A method's map as its file has it, its channels added up."""
    values = _read(board.places.map(task, target, case), case)
    if len(values) > 1:
        notes.append(f"Maps are the sum over {len(values)} channels.")
    total = np.asarray(values.sum(axis=0, dtype=np.float64))
    if not total.any():
        raise InputError("it is zero everywhere")
    return total


def _read(path: Path, case: Case) -> NDArray[Any]:
    """An array (C, *spatial) that the study wrote in the case's own geometry."""
    values = read_case(path).image
    # a file of a slice may have a third axis of one voxel
    if [n for n in values.shape[1:] if n > 1] != [n for n in case.spatial_shape if n > 1]:
        raise InputError(f"{path.name}: shape {values.shape[1:]}, the image has {case.spatial_shape}")
    return values.reshape(len(values), *case.spatial_shape)


def _labels(
    task: Task, board: Board, case: Case, names: Mapping[int, str], asked: set[str]
) -> tuple[ShownLabels, ...]:
    found = []
    path = board.places.labels(task, case)
    if path.is_file():
        layers = np.rint(_read(path, case)).astype(np.int32)
        # independent classes have a layer each; where they overlap the later one is outlined
        several = len(layers) > 1
        values = layers[0] if not several else np.zeros(layers.shape[1:], np.int32)
        for number, layer in enumerate(layers if several else ()):
            values[layer > 0] = number + 1
        named = {n + several: name for n, name in names.items()}
        wanted = frozenset(n for n, name in named.items() if name in asked)
        found.append(ShownLabels("prediction", values, named, wanted=wanted))
    if case.label is not None and (case.label > 0).any():
        found.append(ShownLabels("ground truth", case.label, {}, dashed=True))
    return tuple(found)


def light_of(page: ModelComparison, method: str) -> tuple[Level, str]:
    """The light beside a method's map and its word: its verdict's, or its panel's where a test there is worse."""
    verdict = page.verdict(method)
    panel = next((p for p in page.trust if p.method == method), None)
    level: Level = "info" if verdict is None else LIGHTS.get(verdict.level, "info")
    word = "" if verdict is None else verdict.level
    if panel is not None and _WORSE.index(panel.level) < _WORSE.index(level):
        return panel.level, LEVELS[panel.level]
    return level, word
