"""The page as one HTML file: figures and series inside, no script but theirs, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import voxplain
from voxplain.case.atomic import write_whole
from voxplain.counterfactual.page.remark import Remark
from voxplain.inherent.page.numbers import Table
from voxplain.report import Picture
from voxplain.report.series import Moving, moving
from voxplain.report.templating import templates
from voxplain.simulator.page.groups import GroupShown, groups_shown
from voxplain.simulator.page.tables import overview, region_table, surrogate_table, training_table
from voxplain.simulator.page.words import remarks

if TYPE_CHECKING:
    from voxplain.inherent.data import Sample
    from voxplain.simulator.running.records import Record
    from voxplain.simulator.running.task import SimulatorTask

DOUBTFUL = 0.7  # share of right decisions below which a classifier has learned little


@dataclass(frozen=True)
class SubjectShown:
    """One image of the page.

    Attributes:
        id: of the image.
        way: from which decision to which.
        figure: before, after, difference, warp grid, log-Jacobian.
        strip: frames with dose and logit.
        remarks: whether to believe it.
        regions: volumes; None without an atlas.
    """

    id: str
    way: str
    figure: Picture
    strip: Picture
    remarks: tuple[Remark, ...]
    regions: Table | None


@dataclass(frozen=True)
class SimulatorPage:
    """What the page says.

    Attributes:
        title, subtitle: the classifier and the simulator.
        facts: about data, classifier and simulator.
        notes: what was assumed or left out.
        groups: what subjects have in common; () before it was tested.
        group_notes: whom tests left out.
        overview: of all subjects.
        subjects: one by one.
        training: what each training came to.
        surrogate: of a black box, how well a network has learned it; None of others.
        curves: of the first training; None where they are elsewhere.
        series: of the subjects, with a slider.
        versions: of what made it.
    """

    title: str
    subtitle: str
    facts: dict[str, object]
    notes: tuple[str, ...]
    groups: tuple[GroupShown, ...]
    group_notes: tuple[str, ...]
    overview: Table
    subjects: tuple[SubjectShown, ...]
    training: Table
    surrogate: Table | None
    curves: Picture | None
    series: Moving
    versions: dict[str, object]


def write_page(task: SimulatorTask, parts: Mapping[str, Sequence[Sample]]) -> Path:
    """Write ``report.html`` (``new.html`` of new images) from what is in the folder, whole or not at all."""
    from voxplain.simulator.running.records import NEW

    environment = templates("voxplain.simulator.page", "voxplain.report")
    text = environment.get_template("simulator.html.j2").render(page=simulator_page(task, parts))
    place = task.places.out / "new.html" if NEW in parts else task.places.page
    return write_whole(place, text.encode())


def simulator_page(task: SimulatorTask, parts: Mapping[str, Sequence[Sample]]) -> SimulatorPage:
    """What the page says of a folder of results."""
    from voxplain.simulator.running.records import records_of
    from voxplain.simulator.running.series_step import SubjectSeries
    from voxplain.simulator.running.surrogate_step import surrogate
    from voxplain.simulator.training.train import read_told

    found = records_of(task, task.settings.seeds[0], parts)
    healthy, diseased = task.names
    groups, group_notes = groups_shown(task, parts)
    chosen = _chosen([record for _, record in found], task.settings.explain.cases)
    seed = task.settings.seeds[0]
    known = surrogate(task).fidelity if task.settings.classifier.black_box else None
    curves = task.places.training(seed) / "curves.png"
    samples = [sample for part in parts.values() for sample in part]  # in the order of the records
    made = SubjectSeries(task)
    series = moving([partial(made, *found[i], samples[i]) for i in chosen])
    return SimulatorPage(
        title=f"What the classifier looks for: {diseased} or {healthy}",
        subtitle=f"{Path(task.settings.classifier.source).name}, explained by a {task.settings.network.name} simulator",
        facts=_facts(task, parts),
        notes=(
            *([known.sentence()] if known else []),
            *task.notes,
            *_without_regions(task, parts),
            *_notes([record for _, record in found]),
            *([series.note] if series.note else []),
        ),
        groups=groups,
        group_notes=group_notes,
        overview=overview([record for _, record in found]),
        subjects=tuple(_shown(*found[i]) for i in chosen),
        training=training_table({s: read_told(task.places.training(s)) for s in task.settings.seeds}),
        surrogate=surrogate_table(known) if known else None,
        curves=Picture(curves, "Curves of the training.", f"Training of seed {seed}.")
        if curves.exists()
        else None,
        series=series,
        versions={"voxplain": voxplain.__version__},
    )


def _chosen(records: Sequence[Record], count: int) -> list[int]:
    """As many of each decision as of the other: wrong ones first, then spread over doses."""
    decisions = list(dict.fromkeys(record["decision"] for record in records))
    each = -(-count // max(len(decisions), 1))
    found: list[int] = []
    for decision in decisions:
        mine = [i for i, record in enumerate(records) if record["decision"] == decision]
        wrong = [i for i in mine if records[i]["right"] is False][: each // 4]
        rest = sorted(
            (i for i in mine if i not in wrong), key=lambda i: (records[i]["reached"], records[i]["dose"])
        )
        spots = np.linspace(0, max(len(rest) - 1, 0), min(each - len(wrong), len(rest))).round().astype(int)
        found += [*wrong, *(rest[spot] for spot in np.unique(spots))]
    return found[:count]


def _shown(place: Path, record: Record) -> SubjectShown:
    figure, strip = (
        Picture(place / f"{file}.png", *record[key])
        for file, key in (("figure", "figure"), ("frames", "strip"))
    )
    way = f"{record['decision']} towards {record['towards']}"
    return SubjectShown(record["id"], way, figure, strip, remarks(record), region_table(record))


def _facts(task: SimulatorTask, parts: Mapping[str, Sequence[Sample]]) -> dict[str, object]:
    split = {
        name: f"{len(part)} images of {len({task.samples[i].group for i in part})} patients"
        for name, part in task.split.parts().items()
    }
    told = task.settings.explain
    simulator = task.simulator(task.settings.seeds[0])
    known = (
        "patients are whole"
        if task.samples.patients_known
        else "patients are not known: each image counts as one"
    )
    return {
        "data": str(task.settings.data.source),
        "decision": f"{task.names[1]} above 0, {task.names[0]} below",
        **split,
        "split": known,
        "image": " × ".join(str(n) for n in task.shape),
        "simulator": f"{type(simulator).__name__}, {sum(p.numel() for p in simulator.parameters()):,} parameters",
        "trainings (seeds)": list(task.settings.seeds),
        "explained": {name: len(samples) for name, samples in parts.items()},
        "target": f"the logit of a {told.target} subject of the other class"
        if told.target == "typical"
        else told.target,
    }


def _without_regions(task: SimulatorTask, parts: Mapping[str, Sequence[Sample]]) -> list[str]:
    """Of new images, where an atlas was asked for that they have not."""
    from voxplain.simulator.running.atlas import WITHOUT, atlas_of
    from voxplain.simulator.running.records import NEW

    asked = task.settings.explain.atlas
    return [WITHOUT] if NEW in parts and asked and atlas_of(asked, task.folder, new=True) is None else []


def _notes(records: Sequence[Record]) -> list[str]:
    notes = []
    folded = sum(bool(record["withheld"]) for record in records)
    missed = sum(not record["reached"] for record in records)
    known = [record["right"] for record in records if record["right"] is not None]
    if known and sum(known) < DOUBTFUL * len(known):
        notes.append(
            f"The classifier decides only {sum(known)} of {len(known)} images rightly: what it looks for is "
            "hardly the disease."
        )
    if folded:
        notes.append(
            f"The maps of {folded} of {len(records)} images fold space: their volumes are not published."
        )
    if missed:
        notes.append(
            f"{missed} of {len(records)} images do not reach their target at any dose: warping them cannot change the "
            "decision as far as that."
        )
    return notes
