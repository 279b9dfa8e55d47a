"""What is known of each subject that was explained: read from its folder, told in tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxplain.counterfactual import CounterfactualPath
from voxplain.errors import InputError
from voxplain.inherent.data import Sample
from voxplain.inherent.data.sample import UNKNOWN
from voxplain.inherent.evaluate.rows import write_rows
from voxplain.simulator.field import RegionChange
from voxplain.simulator.running.case_files import RECORD, at_dose
from voxplain.simulator.running.task import SimulatorTask

NEW = "new"  # the part of images that are not the data set's
Record = dict[str, Any]
_WHOSE = ("part", "id", "patient", "seed", "label", "decision", "right", "towards")
_NUMBERS = (
    "logit before", "logit after", "target", "dose", "folded (%)", "inverse error (voxels)", "share of motion in the logit",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Subject:
    """One image of a part.

    Attributes:
        part, index: which one.
        sample: the image.
        key: what its files depend on.
    """

    part: str
    index: int
    sample: Sample
    key: str


def parts_of(task: SimulatorTask) -> dict[str, list[Sample]]:
    """The samples of the parts that are asked for.

    Raises:
        InputError: an empty part.
    """
    divided = task.split.parts()
    for part in task.settings.explain.parts:
        if part not in divided:
            raise InputError(
                f"explain.parts: found {part}, which is empty; expected {', '.join(divided)}, or give split another share"
            )
    return {part: [task.samples[i] for i in divided[part]] for part in task.settings.explain.parts}


def numbers(task: SimulatorTask, subject: Subject, path: CounterfactualPath) -> Record:
    """What is told of a subject, JSON-able."""
    sample, (healthy, diseased) = subject.sample, task.names
    before, after = float(path.scores[0]), float(path.scores[at_dose(path)])
    decision, towards = (diseased, healthy) if before > 0 else (healthy, diseased)
    known = isinstance(sample.label, int) and sample.label != UNKNOWN
    label = task.samples.classes[sample.label] if known else ""  # type: ignore[index]
    told = {
        key: value
        for key, value in path.diagnostics.items()
        if key not in ("logit before", "logit after", "dose")
    }
    return {
        "part": subject.part, "id": sample.id, "patient": sample.group, "label": label, "decision": decision,
        "right": label == decision if known else None, "towards": towards, "logit before": before, "logit after": after,
        "target": path.target, "dose": path.dose, **told,
        "title": f"{sample.id}: {decision}" + ("" if label in ("", decision) else f", but it is {label}"),
        "doses": path.doses.tolist(), "scores": path.scores.tolist(),
        "meta": {key: str(value) for key, value in sample.meta.items()},
    }  # fmt: skip


def region_rows(changes: Sequence[RegionChange]) -> list[Record]:
    """Of the regions of one subject."""
    return [
        {
            "region": r.name, "value": r.label, "before": r.before, "after": r.after, "change": r.change,
            "percent": r.percent, "unit": r.unit,
        }
        for r in changes
    ]  # fmt: skip


def read_record(place: Path) -> Record | None:
    """What a folder tells; None where it is not finished."""
    try:
        found: Record = json.loads((place / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "key" in found else None


def records_of(
    task: SimulatorTask, seed: int, parts: Mapping[str, Sequence[Sample]]
) -> list[tuple[Path, Record]]:
    """Of all subjects by one training, with their folders.

    Raises:
        InputError: some are not explained yet.
    """
    places = [
        task.places.case(seed, part, index, sample.id)
        for part, samples in parts.items()
        for index, sample in enumerate(samples)
    ]
    found = [(place, read_record(place)) for place in places]
    missing = [place for place, record in found if record is None]
    if missing:
        raise InputError(
            f"{missing[0]}: is not explained yet ({len(missing)} of {len(found)}); run `voxplain simulate explain` with "
            "these settings first"
        )
    return [(place, record) for place, record in found if record is not None]


def write_tables(task: SimulatorTask, parts: Mapping[str, Sequence[Sample]]) -> None:
    """``subjects`` and, where there is an atlas, ``regions``, as parquet and CSV; of new images ``new_…``."""
    prefix = "new_" if NEW in parts else ""
    subjects, regions = [], []
    for seed in task.settings.seeds:
        for _, record in records_of(task, seed, parts):
            whose = {name: _word(record[name]) for name in _WHOSE}
            told = {name: _word(record[name]) for name in ("reached", "monotone", "withheld")}
            subjects.append({**whose, **{name: float(record.get(name, "nan")) for name in _NUMBERS}, **told})
            regions += [{**whose, **row} for row in record["regions"]]
    for name, rows in (("subjects", subjects), ("regions", regions)):
        for suffix in (".parquet", ".csv"):
            path = task.places.explanation / f"{prefix}{name}{suffix}"
            path.unlink(missing_ok=True)  # an atlas that is no longer asked for leaves no table
            if rows:
                write_rows(rows, path)


def _word(value: Any) -> Any:
    """A column has one type, so truth values that may not be known are words."""
    return {True: "yes", False: "no", None: ""}[value] if isinstance(value, bool) or value is None else value
