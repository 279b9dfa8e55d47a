"""`voxplain simulate explain`: what the classifier looks for in each image, as files on the image's own grid."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from voxplain.case.atomic import write_whole
from voxplain.counterfactual import CounterfactualPath
from voxplain.counterfactual.page.frames_figure import frames_figure
from voxplain.counterfactual.page.scenery import scene
from voxplain.errors import InputError
from voxplain.inherent.data import Reader, Sample, prepared
from voxplain.inherent.data.new_images import new_samples
from voxplain.inherent.shown import Shown, shown
from voxplain.report import png
from voxplain.simulator.explain import Explainer
from voxplain.simulator.page import write_page
from voxplain.simulator.page.subject_figure import subject_figure
from voxplain.simulator.running.atlas import Atlas, Labels, atlas_of, changes
from voxplain.simulator.running.case_files import (
    LOG_JACOBIAN,
    RECORD,
    emptied,
    jacobian_of,
    maps_of,
    sizes,
    write_files,
)
from voxplain.simulator.running.home import Home
from voxplain.simulator.running.records import (
    NEW,
    Subject,
    is_current,
    numbers,
    parts_of,
    read_record,
    region_rows,
    subjects_of,
    write_tables,
)
from voxplain.simulator.running.task import SimulatorTask
from voxplain.simulator.running.train_step import trained


def explain_simulators(
    task: SimulatorTask, images: Sequence[str | Path] = (), *, progress: bool = True
) -> Path:
    """Ask the trained simulators about the parts of the settings, or about new images, and write the page.

    Every image gets a folder ``explanation/seed-N/PART/…`` with its maps on its own grid, pictures and
    ``explanation.json``; of further seeds only the log-Jacobian. ``explanation/subjects`` and ``regions`` (parquet and CSV)
    have a row per subject and per region. What is there already is not asked again.

    Args:
        task: with settings of a training that is done.
        images: without a class, instead of the parts, see `new_samples`.
        progress: show a bar on a terminal.

    Returns:
        the page.

    Raises:
        InputError: no training, images or an atlas that cannot be read.
        GeometryError: an atlas that is on another grid than an image.
    """
    new = new_samples(images, task.samples, task.settings.data.slices, task.preparation.orientation)
    parts = {NEW: new} if images else parts_of(task)
    for seed in task.settings.seeds:
        asked = _Asked(task, seed)
        for part, samples in parts.items():
            with shown(f"{part} images", progress) as show:
                asked.part(part, samples, show)
    write_tables(task, parts)
    return write_page(task, parts)


class _Asked:
    """One training's simulator, asked image by image."""

    def __init__(self, task: SimulatorTask, seed: int) -> None:
        found = trained(task, seed)
        told, self.task, self.seed = task.settings.explain, task, seed
        self.device = torch.device(
            ("cuda" if torch.cuda.is_available() else "cpu") if told.device == "auto" else told.device
        )
        self.explainer = Explainer(
            found.simulator.to(self.device), found.decision.to(self.device), found.typical, told.limit
        )
        # pictures, too, are of the first training alone
        self.first = seed == task.settings.seeds[0]
        self.atlas: Atlas | None = None  # of the part that is being asked about

    def part(self, part: str, samples: Sequence[Sample], show: Shown) -> None:
        reader = Reader()
        self.atlas = atlas_of(self.task.settings.explain.atlas, self.task.folder, new=part == NEW)
        for subject in subjects_of(self.task, self.seed, {part: samples}):
            place = self.task.places.case(self.seed, part, subject.index, subject.sample.id)
            if not is_current(place, read_record(place), subject):
                self._subject(emptied(place), subject, reader)
            show(f"seed {self.seed}, {part} images", subject.index + 1, len(samples))

    def _check_shape(self, sample: Sample, found: tuple[int, ...]) -> None:
        wanted = self.task.shape
        if found[0] != wanted[0]:
            raise InputError(
                f"image of {sample.id}: has {found[0]} channels, the simulator learned on {wanted[0]}; give the same scans "
                "of every subject, with ; between"
            )
        if found != wanted:
            raise InputError(
                f"image of {sample.id}: has the size {found[1:]} after preparation, the simulator learned on {wanted[1:]}; "
                "give prepare.size, or images of one grid"
            )

    def _subject(self, place: Path, subject: Subject, reader: Reader) -> None:
        sample, told = subject.sample, self.task.settings.explain
        ready = prepared(sample, self.task.preparation, reader)
        self._check_shape(sample, tuple(ready.image.shape))
        # read before anything is computed: an atlas that does not fit is told at once
        labels = None if self.atlas is None else self.atlas(sample, reader)
        home = Home(ready)
        path = self.explainer.explain(ready.image.to(self.device), told.target)
        write_files(place, path, home, told.files if self.first else ())
        facts = numbers(self.task, subject, path)
        if self.first:
            facts |= self._pictures(place, path, home, labels, sample, facts["title"])
        record = {
            "key": subject.key, **facts, "seed": self.seed, "files": sizes(place),
            "regions": self._regions(path, home, labels, sample), "withheld": path.withheld.get(LOG_JACOBIAN, ""),
        }  # fmt: skip
        write_whole(place / RECORD, json.dumps(record, indent=1, ensure_ascii=False).encode())

    def _regions(
        self, path: CounterfactualPath, home: Home, labels: Labels | None, sample: Sample
    ) -> list[dict[str, Any]]:
        if labels is None or self.atlas is None or path.withheld:
            return []
        try:
            found = changes(jacobian_of(path, home), labels, home.ready.case, self.atlas.names(sample))
        except InputError as error:
            raise type(error)(f"{sample.id}: {error}") from None
        return region_rows(found)

    def _pictures(
        self,
        place: Path,
        path: CounterfactualPath,
        home: Home,
        labels: Labels | None,
        sample: Sample,
        title: str,
    ) -> dict[str, Any]:
        """Write both, and tell what they show."""
        maps = maps_of(path, home)
        names = {} if self.atlas is None else dict(self.atlas.names(sample))
        figure = subject_figure(maps, home.geometry, labels, names, title=title)
        write_whole(place / "figure.png", png(figure, 100))
        frames, doses, scores = home.map(path.frames[:, 0]), path.doses.tolist(), path.scores.tolist()
        strongest = maps.get("log_jacobian", maps["difference"][0])
        base = scene(maps["before"], strongest, home.geometry, "")
        strip = frames_figure(frames, doses, scores, base, path.dose, self.task.names[1])
        write_whole(place / "frames.png", png(strip, 100))
        return {"figure": [figure.alt, figure.caption], "strip": [strip.alt, strip.caption]}
