"""Volumes that the page's reader can walk through: the image, the maps that were drawn, and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from voxplain.errors import VoxplainError
from voxplain.report.page import Finding, Section, light_of
from voxplain.report.viewer import MB, Packed, ShownCase, ShownMap, ShownTarget, pack
from voxplain.study.explaining.paths import map_path, prediction_path
from voxplain.study.volumes import ground_of, labels_of, map_of

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.model import Model
    from voxplain.report.page import Level
    from voxplain.report.trust import Trust
    from voxplain.study.settings.config import ExplainSettings

MOST_MAPS = 24
"""More would share the room until all of them are coarse."""


def viewed(
    settings: ExplainSettings,
    results: Sequence[Mapping[str, Any]],
    case: Case,
    model: Model,
    trust: Sequence[Trust] = (),
) -> Packed | None:
    """The drawn targets with all their maps, within the settings' room; None where maps are not kept or there is no room.

    Args:
        trust: panels of the methods, whose light stands beside a map where it is the worse one.
    """
    if not settings.maps.save or not settings.maps.viewer:
        return None
    return pack(
        [lambda: _shown(settings, results, case, model, {panel.method: panel.level for panel in trust})],
        1,
        settings.maps.viewer * MB,
        three_d=settings.maps.three_d,
    )


def _shown(
    settings: ExplainSettings,
    results: Sequence[Mapping[str, Any]],
    case: Case,
    model: Model,
    lights: Mapping[str, Level],
) -> ShownCase:
    notes: list[str] = []
    drawn: dict[str, list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    for result in results:
        for section in result["sections"]:
            if section["pictures"] or section.get("tile"):
                drawn.setdefault(section["target"], []).append((result, section))
    targets: list[ShownTarget] = []
    count = 0
    for name, sections in drawn.items():
        if targets and count + len(sections) > MOST_MAPS:
            notes.append(
                f"Not in the viewer, to leave room for the others: {name}. Its pictures are further down."
            )
            continue
        maps = tuple(m for r, s in sections if (m := _map(settings, r, s, case, notes, lights)) is not None)
        count += len(maps)
        if maps:
            targets.append(ShownTarget(name, maps))
    asked = {
        row["class"]
        for result in results
        for row in result["rows"]
        if row["target"] in {t.name for t in targets}
    }
    labels = labels_of(
        prediction_path(settings, case), case, dict(enumerate(model.classes)), asked, true_names(model)
    )
    return ShownCase(
        case.id, ground_of(case, notes), tuple(targets), case.geometry, labels, tuple(dict.fromkeys(notes))
    )


def _map(
    settings: ExplainSettings,
    result: Mapping[str, Any],
    section: Mapping[str, Any],
    case: Case,
    notes: list[str],
    lights: Mapping[str, Level],
) -> ShownMap | None:
    method, target = section["method"], section["target"]
    if result.get("answer") == "image":
        notes.append(f"{method} makes an image and no map of this one, so it is not in the viewer.")
        return None
    try:
        values = map_of(map_path(settings, case, method, target), case, notes)
    except VoxplainError as error:
        notes.append(f"{method} for {target} is not in the viewer: {error}")
        return None
    own = Section(method, target, findings=tuple(Finding(**f) for f in section["findings"]))
    return ShownMap(method, values, result.get("unit", "attribution"), *light_of(own, lights))


def true_names(model: Model) -> dict[int, str]:
    """What the values of a ground truth mean to the model."""
    meant = model.label_values or ()
    return {value: name for name, values in zip(model.classes, meant, strict=False) for value in values}
