"""What is known of each subject that was explained: read from its folder, told in tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voxplain.counterfactual import CounterfactualPath
from voxplain.errors import InputError
from voxplain.inherent.data import Sample
from voxplain.inherent.data.sample import UNKNOWN
from voxplain.inherent.evaluate.rows import write_rows
from voxplain.simulator.field import RegionChange
from voxplain.simulator.running.atlas import atlas_of
from voxplain.simulator.running.case_files import RECORD, at_dose, is_whole
from voxplain.simulator.running.keys import explanation_key, subject_key
from voxplain.simulator.running.task import SimulatorTask

NEW = "new"  # the part of images that are not the data set's
Record = dict[str, Any]
_WHOSE = ("part", "id", "patient", "seed", "label", "decision", "right", "towards")
_NEEDED = {*_WHOSE, "key", "files", "regions", "withheld", "reached", "monotone"}
_AGAIN = "run `voxplain simulate explain` again"
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


def subjects_of(task: SimulatorTask, seed: int, parts: Mapping[str, Sequence[Sample]]) -> Iterator[Subject]:
    """All images of some parts, with what their files depend on now.

    Raises:
        InputError: no atlas for an image, no weights of the training.
    """
    key = explanation_key(task, seed)
    for part, samples in parts.items():
        atlas = atlas_of(task.settings.explain.atlas, task.folder, new=part == NEW)
        for index, sample in enumerate(samples):
            file = None if atlas is None else atlas.file(sample)
            yield Subject(part, index, sample, subject_key(key, sample, file))


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
    """What a folder tells; None where it is not finished, or damaged."""
    try:
        found: Record = json.loads((place / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.keys() >= _NEEDED else None


def is_current(place: Path, record: Record | None, subject: Subject) -> bool:
    """Whether a folder holds all files of a subject as they would be written now."""
    return record is not None and record["key"] == subject.key and is_whole(place, record["files"])


def records_of(
    task: SimulatorTask, seed: int, parts: Mapping[str, Sequence[Sample]]
) -> list[tuple[Path, Record]]:
    """Of all subjects by one training, with their folders.

    Raises:
        InputError: some are not explained yet, or were with other settings, weights or data, or have lost files.
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
    subjects = subjects_of(task, seed, parts)
    known = [
        (place, record, subject)
        for (place, record), subject in zip(found, subjects, strict=True)
        if record is not None
    ]
    stale = [place for place, record, subject in known if record["key"] != subject.key]
    if stale:
        raise InputError(
            f"{stale[0]}: was explained with another classifier, simulator, image, label, patient or atlas, or other "
            f"settings, than there are now ({len(stale)} of {len(found)}); {_AGAIN}"
        )
    broken = [place for place, record, _ in known if not is_whole(place, record["files"])]
    if broken:
        raise InputError(
            f"{broken[0]}: files are missing or cut off ({len(broken)} of {len(found)}); {_AGAIN}, which makes them again"
        )
    return [(place, record) for place, record, _ in known]


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
