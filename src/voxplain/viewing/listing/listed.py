"""The list's numbers as plain data."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from voxplain.viewing.listing.outlying import outlying

if TYPE_CHECKING:
    from collections.abc import Iterable

    from voxplain.report.page import Level
    from voxplain.viewing.folder import Figures, Folder

WORST: tuple[Level, ...] = ("bad", "warn", "good", "info")


def listed(folder: Folder) -> dict[str, Any]:
    """Per item its scores, figures, unlikeness and lights, and what these are.

    A metric's figure of a method is the mean over the targets of the case.
    """
    figures = {item.number: folder.figures(item) for item in folder.items}
    unlike = outlying(folder, figures)
    return {
        "targets": _names(target for f in figures.values() for target in f.scores),
        "metrics": _names(metric for f in figures.values() for metric, _, _ in f.cells),
        "methods": _names(method for f in figures.values() for _, method, _ in f.cells),
        "outlierness": unlike.told,
        "items": [
            {
                "number": item.number,
                "scores": dict(found.scores),
                "metrics": _means(found),
                "outlierness": unlike.scores.get(item.number),
                "farthest": unlike.farthest.get(item.number, ""),
                "lights": {method: list(light) for method, light in found.lights.items()},
                "worst": next(
                    (w for w in WORST if any(w == level for level, _ in found.lights.values())), ""
                ),
            }
            for item in folder.items
            for found in [figures[item.number]]
        ],
    }


def _names(found: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(found))


def _means(figures: Figures) -> dict[str, dict[str, float]]:
    """Metric -> method -> mean over targets."""
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (metric, method, _), value in figures.cells.items():
        values[metric, method].append(value)
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for (metric, method), ones in values.items():
        found[metric][method] = sum(ones) / len(ones)
    return dict(found)
