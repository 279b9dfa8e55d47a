"""An evaluation in a few lines, for the terminal."""

from __future__ import annotations

from voxplain.inherent.evaluate.rows import Row
from voxplain.inherent.page.numbers import cell
from voxplain.inherent.running.evaluate_step import Evaluation
from voxplain.inherent.running.judging import Judged

_MASKS = ("dice median", "false mask rate")


def summary(found: Evaluation) -> list[str]:
    """Decisions, the map, the masks that were written beside the image's intensity, and oracles, named as such."""
    rows = found.result.rows
    overall = [r for r in rows if r["part"] == "classification" and r["class"] == ""]
    lines = [f"{r['metric']}: {cell(r)}" for r in overall]
    return [
        *found.first,
        *lines,
        *(line for one in found.judged for line in _of(one)),
        *found.notes[len(found.first) :],
    ]


def _of(judged: Judged) -> list[str]:
    """Map and masks of one question."""
    rows, lines = judged.result.rows, []
    of = f"{judged.question.name}: " if judged.question.name else ""
    for score, name in (("class", "network"), ("image intensity", "image intensity alone")):
        row = _one(rows, part="map", metric="pxap", score=score)
        lines += [f"{of}PxAP, {name}: {cell(row)}"] if row else []
    for threshold in judged.thresholds:
        told = [
            f"{m} {cell(_one(rows, part='localisation', metric=m, threshold=threshold.title, score='class', stratum='all'))}"
            for m in _MASKS
        ]
        mark = (
            "masks" if threshold is judged.headline else "knows the truth" if threshold.is_oracle else "other"
        )
        lines.append(f"{of}{mark}, {threshold.title} ({threshold.supervision}): {', '.join(told)}")
    return lines


def _one(rows: list[Row], **columns: object) -> Row | None:
    """The last such row: after the refinement, where there is one."""
    return next((r for r in reversed(rows) if all(r[c] == v for c, v in columns.items())), None)
