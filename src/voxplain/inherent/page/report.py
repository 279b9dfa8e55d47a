"""The page of an evaluation as one HTML file: figures and maps inside, their script, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import voxplain
from voxplain.case.atomic import write_whole
from voxplain.inherent.maps_folder import MapsFolder
from voxplain.inherent.page.case_series import case_series
from voxplain.inherent.page.cases import CaseShown, cases_shown, chosen
from voxplain.inherent.page.curves import rejection_curve, reliability_diagram, training_curves
from voxplain.inherent.page.honesty import distance_unit, mask_caption
from voxplain.inherent.page.numbers import (
    Table,
    calibration_tables,
    class_table,
    fixed,
    map_table,
    mask_tables,
    overall_table,
)
from voxplain.inherent.running.thresholds import told
from voxplain.report import Drawing, Picture, png
from voxplain.report.series import Moving, moving
from voxplain.report.templating import templates

if TYPE_CHECKING:
    from voxplain.inherent.maps import Maps
    from voxplain.inherent.running.evaluate_step import Evaluation
    from voxplain.inherent.running.judging import Judged
    from voxplain.inherent.running.task import Task


@dataclass(frozen=True)
class ReportPage:
    """What the page says.

    Attributes:
        title, subtitle: the data and the network.
        faithful: whether the map is the decision.
        facts: about data, split and network.
        notes: what could not be measured, and why.
        classes: how good decisions are, per class and of all.
        masks: per question, how good masks are (honest thresholds, then what knows nothing, then oracles) and, after
            those that were written, maps before any threshold.
        calibration: of probabilities, and whether they predict Dice.
        figures: curves.
        thresholds: each in a sentence.
        cases: image by image.
        series: of the cases, with sliders.
        versions: of what made it.
    """

    title: str
    subtitle: str
    faithful: bool
    facts: dict[str, object]
    notes: tuple[str, ...]
    classes: tuple[Table, ...]
    masks: tuple[Table, ...]
    calibration: tuple[Table, ...]
    figures: tuple[Picture, ...]
    thresholds: tuple[str, ...]
    cases: tuple[CaseShown, ...]
    series: Moving
    versions: dict[str, object]


def write_report(task: Task, found: Evaluation, test: Maps) -> Path:
    """Write ``evaluation/report.html``, whole or not at all."""
    environment = templates("voxplain.inherent.page", "voxplain.report")
    environment.filters["fixed"] = fixed
    page = report_page(task, found, test)
    text = environment.get_template("inherent.html.j2").render(page=page)
    return write_whole(found.places.page, text.encode())


def report_page(task: Task, found: Evaluation, test: Maps) -> ReportPage:
    """What the page says of an evaluation."""
    rows = found.result.rows
    network = task.network
    series = _series(task, found, test)
    return ReportPage(
        title=f"{type(network).__name__} on {task.settings.data.source.name}",
        subtitle=f"pool {task.settings.network.pool}, {task.settings.network.pool_at} the read-out",
        faithful=network.faithful,
        facts=_facts(task, test),
        notes=(*found.notes, *task.samples.notes, *([series.note] if series.note else [])),
        classes=(class_table(rows, task.samples.classes), overall_table(rows)),
        masks=tuple(table for one in found.judged for table in _map_tables(task, one, distance_unit(test))),
        calibration=tuple(
            table for one in found.judged for table in calibration_tables(one.result.rows, _of(one))
        ),
        figures=tuple(_picture(d) for d in _figures(found)),
        thresholds=tuple(
            f"{_of(one)}{told(t, one.question.name)}" for one in found.judged for t in one.thresholds
        ),
        cases=cases_shown(task, found, test),
        series=series,
        versions={"voxplain": voxplain.__version__},
    )


def _series(task: Task, found: Evaluation, test: Maps) -> Moving:
    """Of the images that are shown, in their order."""
    told = MapsFolder.opened(found.places.maps("test"))
    views = [(one, one.question.of(test)) for one in found.judged]
    shown = chosen(test, task.settings.evaluate.cases)
    return moving([partial(case_series, task, views, test, i, told.about(i)) for i in shown])


def _of(judged: Judged) -> str:
    """What stands before all that is of one label; nothing of exclusive classes."""
    return f"{judged.question.name}: " if judged.question.name else ""


def _map_tables(task: Task, judged: Judged, unit: str) -> list[Table]:
    """The masks that were written, then maps before any threshold, then other masks."""
    rows, caption = judged.result.rows, mask_caption(task, judged)
    masks = mask_tables(rows, judged.headline, _of(judged), caption=caption, unit=unit)
    maps = map_table(rows, _of(judged))
    return [*masks[:1], *([maps] if maps else []), *masks[1:]]


def _facts(task: Task, test: Maps) -> dict[str, object]:
    split = task.split
    told_split = {
        name: f"{len(part)} images of {len({task.samples[i].group for i in part})} patients"
        for name, part in split.parts().items()
    }
    kept = "patients are whole" if split.grouped else "images of one patient are in several parts: too good"
    return {
        "data": str(task.settings.data.source.resolve()),
        "classes": list(task.samples.classes),
        "healthy class": task.healthy_told,
        **told_split,
        "split": kept if task.samples.patients_known else "patients are not known: every image counts as one",
        "image": " × ".join(str(n) for n in task.shape),
        "parameters": f"{sum(p.numel() for p in task.network.parameters()):,}",
        "test images with a drawn mask": int(test.has_lesion.reshape(len(test), -1).any(axis=1).sum()),
    }


def _figures(found: Evaluation) -> Sequence[Drawing]:
    drawn = []
    for one in found.judged:
        drawn.append(reliability_diagram(one.bins, _of(one)))
        drawn += [rejection_curve(one.rejected, _of(one))] if one.rejected is not None else []
    history = _history(found)
    return [*drawn, *([training_curves(*history)] if history else [])]


def _history(found: Evaluation) -> tuple[list[dict[str, float]], int] | None:
    import json

    folder = found.places.training
    try:
        rows = json.loads((folder / "history.json").read_text(encoding="utf-8"))
        last = json.loads((folder / "last.json").read_text(encoding="utf-8"))["folder"]
        progress = json.loads((folder / "checkpoints" / last / "progress.json").read_text(encoding="utf-8"))
        return rows, int(progress["best"]["row"]["epoch"])
    except (OSError, ValueError, KeyError):
        return None  # a network whose training is elsewhere can be evaluated all the same


def _picture(drawing: Drawing) -> Picture:
    return Picture(png(drawing), drawing.alt, drawing.caption)
