"""What an attribution's file tells beside the maps, and whether it is the answer to a problem."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from voxplain.attribution.attribution import Answer
from voxplain.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from voxplain.attribution.attribution import Attribution
    from voxplain.engine import Problem
    from voxplain.engine.tensor_file import Entry
    from voxplain.target import Resolved

Told = dict[str, Any]
WITH_MAP = ("ok", "zero")
STATUSES = (*WITH_MAP, "failed", "absent")
REGIONS = "region_values"
PLAIN = ("method", "parameters", "seconds", "peak_bytes", "seed", "unit", "voxel_power")


def tell(attribution: Attribution) -> str:
    """All but the maps and the regions, as text; numbers come back bit for bit, NaN included."""
    told = {name: getattr(attribution, name) for name in PLAIN}
    told |= {"passes": asdict(attribution.passes), "image": list(attribution.problem.image.shape)}
    told["answers"] = [
        {
            "target": _question(answer.target),
            "status": answer.status,
            "score": answer.score,
            "checks": {name: float(value) for name, value in answer.checks.items()},
            "note": answer.note,
        }
        for answer in attribution.answers
    ]
    return json.dumps(told)


def answers_of(told: Told, problem: Problem) -> list[Answer]:
    """The answers about the problem's own targets."""
    return [
        Answer(target, a["status"], float(a["score"]), dict(a["checks"]), a["note"])
        for target, a in zip(problem.targets, told["answers"], strict=True)
    ]


def require_answer(path: Path, told: Told, entries: dict[str, Entry], problem: Problem) -> None:
    """Refuse what answers other targets, or an image of another shape.

    Raises:
        InputError: naming the file and the field.
    """
    image = list(problem.image.shape)
    _same(path, "image", told["image"], image)
    asked = [_question(t) for t in problem.targets]
    found = [a["target"] for a in told["answers"]]
    _same(path, "targets", [f["name"] for f in found], [a["name"] for a in asked])
    for theirs, ours in zip(found, asked, strict=True):
        for field, value in ours.items():
            _same(path, f"target {ours['name']!r}: {field}", theirs[field], value)
    _require_maps(path, told, entries, problem)


def _require_maps(path: Path, told: Told, entries: dict[str, Entry], problem: Problem) -> None:
    """Refuse a file that holds other maps than it says, or maps of another shape."""
    channels, *spatial = problem.image.shape
    expected = {str(t) for t, a in enumerate(told["answers"]) if a["status"] in WITH_MAP}
    _same(path, "maps", sorted(entries.keys() - {REGIONS}), sorted(expected))
    for name in expected:
        shape = list(entries[name].shape)
        one_channel = [1, *spatial]
        _same(path, f"map {name}", shape, one_channel if shape[:1] == [1] else [channels, *spatial])
    for target, answer in zip(problem.targets, told["answers"], strict=True):
        absent = target.functional is None
        if answer["status"] not in STATUSES or (answer["status"] == "absent") != absent:
            expects = "absent" if absent else "an answer"
            raise InputError(
                f"{path}: target {target.name!r}: status: found {answer['status']!r}, expected {expects}"
            )
    if REGIONS in entries:
        _same(path, REGIONS, list(entries[REGIONS].shape[:1]), [len(problem.targets)])


def _question(target: Resolved) -> Told:
    """What sets a target apart from others, as plain values."""
    functional, region = target.functional, target.region
    return {
        "name": target.name,
        "kind": target.kind,
        "class": target.class_index,
        "score": target.score,
        "voxels": region.count if region is not None else None,
        "box": [[s.start, s.stop] for s in region.bounds] if region is not None else None,
        "scale": functional.scale if functional is not None else None,
    }


def _same(path: Path, field: str, found: object, expected: object) -> None:
    if found != expected:
        raise InputError(
            f"{path}: {field}: found {_shown(found)}, expected {_shown(expected)}; it answers another problem"
        )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}…"
