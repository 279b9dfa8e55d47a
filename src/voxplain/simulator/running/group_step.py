"""`voxplain simulate group`: what subjects of a class have in common, tested."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.case import read_mask
from voxplain.case.atomic import write_whole
from voxplain.counterfactual.classifier.key import stamp
from voxplain.errors import GeometryError, InputError
from voxplain.inherent.data import Sample
from voxplain.inherent.evaluate.rows import write_rows
from voxplain.inherent.shown import Shown, shown
from voxplain.inherent.training.record import digest
from voxplain.simulator.group import GroupMap, agreement, group_difference, group_map
from voxplain.simulator.page import write_page
from voxplain.simulator.running.case_files import is_whole
from voxplain.simulator.running.cohort import Cohort, Member, Space, check_apart, gathered, left_out, members
from voxplain.simulator.running.common import CommonGrid, common_grid, warps_of
from voxplain.simulator.running.divided import divided_by
from voxplain.simulator.running.group_files import regions_alone, write_test
from voxplain.simulator.running.records import parts_of, records_of
from voxplain.simulator.running.task import SimulatorTask

GROUPS = "groups.json"
_TABLES = (".parquet", ".csv")


def group_simulators(task: SimulatorTask, *, progress: bool = True) -> Path:
    """Test the log-Jacobians of all subjects that were explained, class by class, and write the page.

    The folder ``group`` gets a folder per test with ``mean``, ``t``, ``p_any`` and ``q`` on the images' grid and a picture,
    ``regions`` (parquet and CSV) with a row per region and test, and ``groups.json``. What is there already is not done
    again. Maps are compared on the grid of all images; where the table has a column ``warp``, on the template's, see
    `voxplain.simulator.running.common.pushed`. Images on different grids without warps have tests of their regions alone.

    Returns:
        the page.

    Raises:
        InputError: subjects that are not explained yet, no class with two subjects, a column that is not there.
        GeometryError: a mask on another grid; images on different grids that have neither warps nor regions.
    """
    parts = parts_of(task)
    found, notes = members(task, parts)
    if not any(found.values()):
        raise InputError(f"group: found no image whose map can be used; {' '.join(notes)}")
    key = group_key(task, parts)
    if read_tests(task, key) is None:
        tests = _Tests(task, found, notes)
        with shown("groups", progress) as show:
            tests.make(show)
        tests.write(key)
    return write_page(task, parts)


def group_key(task: SimulatorTask, parts: Mapping[str, Sequence[Sample]]) -> str:
    """Of what tests depend on."""
    told, samples = task.settings.group, [sample for several in parts.values() for sample in several]
    keys = [record["key"] for seed in task.settings.seeds for _, record in records_of(task, seed, parts)]
    files = [*warps_of(samples, task.folder).values(), *([told.mask] if told.mask else [])]
    column = [str(sample.meta.get(told.by, "")) for sample in samples] if told.by else []
    return digest([told.model_dump(mode="json"), keys, column, [stamp(file) for file in files]])


def read_tests(task: SimulatorTask, key: str) -> dict[str, Any] | None:
    """What is told of the tests; None where there are none of this key, or files of theirs are gone."""
    folder = task.places.group
    try:
        told: dict[str, Any] = json.loads((folder / GROUPS).read_text(encoding="utf-8"))
        tables = [folder / f"regions{suffix}" for suffix in _TABLES] if told["rows"] else []
        whole = all(table.exists() for table in tables) and all(
            is_whole(folder / test["folder"], test["files"]) for test in told["tests"]
        )
        return told if told["key"] == key and whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


@dataclass
class _Tests:
    """All tests of a cohort, and what is told of them.

    Attributes:
        task: the settings.
        found: subjects by decision.
        notes: whom and what was left out.
        rows: a row per region and test.
        told: what is known of each test.
    """

    task: SimulatorTask
    found: dict[str, list[Member]]
    notes: list[str]
    rows: list[dict[str, Any]] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)

    def make(self, show: Shown) -> None:
        """Both classes, each by itself and, where a column is named, divided by it."""
        every = [member for several in self.found.values() for member in several]
        values = divided_by(self.task.settings.group, self.task.samples)
        if values is not None:
            for chosen in self.found.values():
                check_apart(chosen, str(self.task.settings.group.by), values)
        space = self._space(every)
        for done, (decision, chosen) in enumerate(self.found.items(), 1):
            towards = next(name for name in self.found if name != decision)
            title = f"{decision} towards {towards}"
            if chosen:
                cohort = gathered(chosen, space, self.task.settings.group.by)
                self.notes += [f"{title}: {note}" for note in left_out(chosen)]
                self._mean(space, title, chosen, cohort)
                if values is not None:
                    self._difference(space, title, chosen, cohort, values)
            else:
                self.notes.append(f"{title}: no subject.")
            show("groups", done, len(self.found))
        if not self.told:
            raise InputError(f"group: no class has two subjects to test; {' '.join(self.notes)}")

    def write(self, key: str) -> None:
        """The tables, and what is told, last."""
        folder = self.task.places.group
        for suffix in _TABLES:
            path = folder / f"regions{suffix}"
            path.unlink(missing_ok=True)
            if self.rows:
                write_rows(self.rows, path)
        told = {"key": key, "tests": self.told, "rows": self.rows, "notes": self.notes}
        write_whole(folder / GROUPS, json.dumps(told, indent=1, ensure_ascii=False).encode())

    def _mean(self, space: Space | None, title: str, chosen: Sequence[Member], cohort: Cohort) -> None:
        """Whether volumes change at all."""
        if len(cohort.rows) < 2:
            self.notes.append(f"{title}: {len(cohort.rows)} subject, but a test needs two.")
            return
        reached = _reached(cohort.reached)
        if space is not None:
            made = group_map(list(cohort.rows), **self._options)
            self._add(space, title, made, chosen, {"agreement": _agreement(cohort), **reached})
        if cohort.names:
            regions = group_map(list(cohort.percent), **self._options)
            self._add_regions(space, title, regions, cohort, cohort.amount.mean(0), reached)

    def _difference(
        self,
        space: Space | None,
        title: str,
        chosen: Sequence[Member],
        cohort: Cohort,
        values: tuple[str, str],
    ) -> None:
        """Whether two groups of subjects differ."""
        a, b = (np.array([v == (value,) for v in cohort.values], np.bool_) for value in values)
        named = f"{title}: {self.task.settings.group.by} {values[0]} minus {values[1]}"
        if not a.any() or not b.any() or a.sum() + b.sum() < 3:
            self.notes.append(
                f"{named}: {int(a.sum())} and {int(b.sum())} subjects, but a test needs three, some in both."
            )
            return
        reached = _reached(cohort.reached[a | b])
        if space is not None:
            made = group_difference(list(cohort.rows[a]), list(cohort.rows[b]), **self._options)
            self._add(space, named, made, chosen, reached)
        if cohort.names:
            regions = group_difference(list(cohort.percent[a]), list(cohort.percent[b]), **self._options)
            amounts = cohort.amount[a].mean(0) - cohort.amount[b].mean(0)
            self._add_regions(space, named, regions, cohort, amounts, reached)

    def _add(
        self, space: Space, title: str, made: GroupMap, chosen: Sequence[Member], about: dict[str, Any]
    ) -> None:
        place, level = self.task.places.group, self.task.settings.group.level
        self.told.append({**write_test(place, space, title, made, chosen, level), **about})

    def _add_regions(
        self,
        space: Space | None,
        title: str,
        made: GroupMap,
        cohort: Cohort,
        amounts: NDArray[np.float64],
        about: dict[str, Any],
    ) -> None:
        if space is None:
            self.told.append({**regions_alone(title, made), **about})
        self.rows += _region_rows(title, made, cohort, amounts)

    @property
    def _options(self) -> dict[str, Any]:
        told = self.task.settings.group
        return {"permutations": told.permutations, "seed": told.seed}

    def _space(self, every: Sequence[Member]) -> Space | None:
        """Where voxels are compared; None where there is no such place, which the notes tell.

        Raises:
            GeometryError: there is none, and there are no regions to compare either.
        """
        samples, folder = [member.sample for member in every], self.task.folder
        try:
            grid = common_grid(samples, folder)
        except GeometryError as error:
            if warps_of(samples, folder) or not any(member.record["regions"] for member in every):
                raise
            self.notes.append(f"There are no voxelwise tests, but those of regions. {error}.")
            return None
        return Space(grid, self._mask(grid))

    def _mask(self, grid: CommonGrid) -> NDArray[np.bool_]:
        path = self.task.settings.group.mask
        if path is None:
            return np.ones(grid.shape, np.bool_)
        mask: NDArray[np.bool_] = read_mask(path, grid.case) > 0
        if not mask.any():
            raise InputError(f"group.mask: {path} has no voxel above 0")
        return mask


def _reached(subjects: NDArray[np.bool_]) -> dict[str, list[int]]:
    """How many of how many."""
    return {"reached": [int(subjects.sum()), len(subjects)]}


def _agreement(cohort: Cohort) -> dict[str, float] | None:
    """How alike the trainings' means are; nothing of one training, or where one found nothing at all."""
    if len(cohort.by_training) < 2:
        return None
    try:
        found = agreement(list(cohort.by_training))
    except InputError:
        return None
    return {"least": found.least, "median": found.median}


def _region_rows(title: str, made: GroupMap, cohort: Cohort, amounts: Any) -> list[dict[str, Any]]:
    return [
        {
            "test": title, "region": name, "subjects": " + ".join(map(str, made.subjects)), "percent": float(made.mean[r]),
            "change": float(amounts[r]), "unit": cohort.unit, "t": float(made.t[r]), "p": float(made.p[r]),
            "p_any": float(made.p_any[r]), "q": float(made.q[r]),
        }
        for r, name in enumerate(cohort.names)
    ]  # fmt: skip
