"""The subjects of one class as a group's test wants them: one map each, on one grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.case import Geometry, read_case
from voxplain.errors import InputError
from voxplain.inherent.data import Reader, Sample
from voxplain.inherent.data.sample import listed
from voxplain.simulator.running.case_files import LOG_JACOBIAN
from voxplain.simulator.running.common import CommonGrid
from voxplain.simulator.running.home import Floats
from voxplain.simulator.running.records import Record, records_of
from voxplain.simulator.running.task import SimulatorTask


@dataclass(frozen=True, eq=False)
class Member:
    """One image of a class.

    Attributes:
        sample: the image.
        folders: of its files, by training.
        records: what is known of it, by training.
    """

    sample: Sample
    folders: tuple[Path, ...]
    records: tuple[Record, ...]

    @property
    def record(self) -> Record:
        """By the first training."""
        return self.records[0]

    def map(self, training: int) -> Floats:
        """(*S) log-Jacobian by one training."""
        (file,) = self.folders[training].glob(f"{LOG_JACOBIAN}.*")
        values: Floats = read_case(file).image[0]
        return values


def members(
    task: SimulatorTask, parts: Mapping[str, Sequence[Sample]]
) -> tuple[dict[str, list[Member]], list[str]]:
    """By class, whom a test may take; and in sentences whom it may not.

    Raises:
        InputError: subjects that are not explained yet.
    """
    samples = [sample for several in parts.values() for sample in several]
    by_training = [records_of(task, seed, parts) for seed in task.settings.seeds]
    found: dict[str, list[Member]] = {name: [] for name in task.names}
    wrong, folded = 0, 0
    for i, sample in enumerate(samples):
        member = Member(sample, tuple(t[i][0] for t in by_training), tuple(t[i][1] for t in by_training))
        if any(record["withheld"] for record in member.records):
            folded += 1
        elif not member.record["right"] and not task.settings.group.wrong:
            wrong += 1
        else:
            found[member.record["decision"]].append(member)
    notes = []
    if wrong:
        notes.append(
            f"{wrong} of {len(samples)} images are left out, since the classifier sees them wrongly."
        )
    if folded:
        notes.append(
            f"{folded} of {len(samples)} images are left out, since their maps fold space and have no volumes."
        )
    return found, notes


@dataclass(frozen=True, eq=False)
class Space:
    """Where tests are made.

    Attributes:
        grid: that subjects have in common.
        where: (*S) the voxels inside the mask.
    """

    grid: CommonGrid
    where: NDArray[np.bool_]

    @property
    def geometry(self) -> Geometry | None:
        """Of the grid; None where not known."""
        return self.grid.geometry

    def full(self, values: Any, outside: float = 0.0) -> Floats:
        """(V,) on the grid; what was not tested is `outside`."""
        out = np.full(self.where.shape, outside, np.float32)
        out[self.where] = np.nan_to_num(np.asarray(values, np.float32), nan=outside)
        return out


@dataclass(frozen=True, eq=False)
class Cohort:
    """Subjects, each with one row: images of one patient are averaged, and so are trainings, which are no subjects.

    Attributes:
        rows: (subjects, V) log-Jacobian.
        by_training: (trainings, V) means over subjects.
        values: per subject, what a column of the table says of its images, each once; `("",)` without one.
        names: of the R regions that all of them have.
        percent, amount: (subjects, R) change of volume, in per cent of before and in `unit`.
        unit: of amounts.
        reached: per subject, whether all images reached their target by all trainings.
    """

    rows: NDArray[np.float32]
    by_training: NDArray[np.float64]
    values: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    percent: NDArray[np.float64]
    amount: NDArray[np.float64]
    unit: str
    reached: NDArray[np.bool_]


def gathered(chosen: Sequence[Member], space: Space | None, column: str | None) -> Cohort:
    """The members' maps inside a mask, patient by patient.

    Args:
        chosen: of one class.
        space: where voxels are compared; None where images have no grid in common: rows are empty.
        column: of the table, whose values are told of each subject.
    """
    several = _patients(chosen)
    trainings = len(chosen[0].folders)
    rows = np.zeros((len(several), 0 if space is None else int(space.where.sum())), np.float32)
    means = np.zeros((trainings, rows.shape[1]))
    reader = Reader()
    for subject, images in enumerate(several if space is not None else ()):
        assert space is not None
        for member in images:
            for training in range(trainings):
                on_grid = space.grid.bring(member.map(training), member.sample, reader)
                values = on_grid[space.where] / len(images)
                rows[subject] += values / trainings
                means[training] += values / len(several)
    names, unit = _regions(chosen)
    percent, amount = (_volumes(several, names, kind) for kind in ("percent", "change"))
    told = tuple(_told(images, column) for images in several)
    reached = [all(record["reached"] for m in images for record in m.records) for images in several]
    return Cohort(rows, means, told, names, percent, amount, unit, np.array(reached, np.bool_))


def check_apart(chosen: Sequence[Member], column: str, values: tuple[str, str]) -> None:
    """See that nobody is in both of the groups that are compared: their images are no independent subjects.

    Args:
        chosen: of one class.
        column: of the table.
        values: the two that are compared.

    Raises:
        InputError: a patient has images of one of the two and of another value.
    """
    both = [
        (images[0].sample.group, told)
        for images in _patients(chosen)
        if len(told := _told(images, column)) > 1 and set(told) & set(values)
    ]
    if both:
        patient, told = both[0]
        raise InputError(
            f"group.by: {len(both)} patients have images of several values of {column}, such as {patient} "
            f"({', '.join(told)}); expected one value for each patient, since groups are compared as different patients; "
            "leave group.by out, or give images of one value alone"
        )


def _patients(chosen: Sequence[Member]) -> list[list[Member]]:
    """All images of each patient, in order."""
    found: dict[str, list[Member]] = {}
    for member in chosen:
        found.setdefault(member.sample.group, []).append(member)
    return list(found.values())


def _told(images: Sequence[Member], column: str | None) -> tuple[str, ...]:
    """What a column says of a patient's images, each value once."""
    return tuple(dict.fromkeys(str(m.sample.meta.get(column, "")) if column else "" for m in images))


def left_out(chosen: Sequence[Member]) -> list[str]:
    """In a sentence each, regions that some images lack, which are therefore not tested."""
    having = [(m.sample.id, {row["region"] for row in m.record["regions"]}) for m in chosen]
    every = list(dict.fromkeys(row["region"] for m in chosen for row in m.record["regions"]))
    lacking = {name: [sample for sample, own in having if name not in own] for name in every}
    return [
        f"Region {name} is not tested: {len(those)} of {len(chosen)} images have none of it ({listed(those)})."
        for name, those in lacking.items()
        if those
    ]


def _volumes(patients: Sequence[Sequence[Member]], names: Sequence[str], kind: str) -> NDArray[np.float64]:
    """(patients, R) mean over images and trainings."""
    out = np.zeros((len(patients), len(names)))
    for row, images in zip(out, patients, strict=True):
        records = [record for member in images for record in member.records]
        told = [{region["region"]: region[kind] for region in record["regions"]} for record in records]
        row[:] = [np.mean([one[name] for one in told]) for name in names]
    return out


def _regions(chosen: Sequence[Member]) -> tuple[tuple[str, ...], str]:
    """Regions that all images have, in the first one's order; see `left_out` for the others."""
    every = [{row["region"] for row in member.record["regions"]} for member in chosen]
    first: list[dict[str, Any]] = chosen[0].record["regions"]
    names = tuple(row["region"] for row in first if all(row["region"] in others for others in every))
    return names, str(first[0]["unit"]) if first else ""
