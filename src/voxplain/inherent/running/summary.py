"""An evaluation in a few lines, for the terminal."""

from __future__ import annotations

from voxplain.inherent.evaluate.rows import Row
from voxplain.inherent.page.numbers import cell
from voxplain.inherent.running.evaluate_step import Evaluation

_OVERALL = ("accuracy", "balanced accuracy", "macro f1", "macro auroc")
_MASKS = ("dice median", "false mask rate")


def summary(found: Evaluation) -> list[str]:
    """Decisions, the map, the masks that were written beside the image's intensity, and upper bounds, named as such."""
    rows = found.result.rows
    lines = [f"{m}: {cell(_one(rows, part='classification', metric=m, **{'class': ''}))}" for m in _OVERALL]
    for score, name in (("class", "network"), ("image intensity", "image intensity alone")):
        row = _one(rows, part="map", metric="pxap", score=score)
        lines += [f"PxAP, {name}: {cell(row)}"] if row else []
    for threshold in found.thresholds:
        told = [
            f"{m} {cell(_one(rows, part='localisation', metric=m, threshold=threshold.title, score='class', stratum='all'))}"
            for m in _MASKS
        ]
        mark = "masks" if threshold is found.headline else "upper bound" if threshold.is_oracle else "other"
        lines.append(f"{mark}, {threshold.title} ({threshold.supervision}): {', '.join(told)}")
    return [*lines, *found.notes]


def _one(rows: list[Row], **columns: object) -> Row | None:
    """The last such row: after the refinement, where there is one."""
    return next((r for r in reversed(rows) if all(r[c] == v for c, v in columns.items())), None)
