"""The page as one HTML file: pictures, animations and series inside, no script but theirs, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import voxplain
from voxplain.case.atomic import write_whole
from voxplain.counterfactual.page.checks_table import checks_table
from voxplain.counterfactual.page.direction_tables import (
    attributes_table,
    confounders_table,
    control_remarks,
    coordinate_name,
)
from voxplain.counterfactual.page.image_tables import metrics_table, overview_table, realism_table
from voxplain.counterfactual.page.images_shown import chosen_images, image_shown
from voxplain.counterfactual.page.patterns import pattern_remarks
from voxplain.counterfactual.page.series import image_series
from voxplain.counterfactual.page.words import image_unit
from voxplain.report import Picture
from voxplain.report.series import moving
from voxplain.report.templating import templates

if TYPE_CHECKING:
    from voxplain.counterfactual.running.attributes_step import AttributeShown
    from voxplain.counterfactual.running.global_view import MeanShown
    from voxplain.counterfactual.running.summary import Summary
    from voxplain.counterfactual.running.task import CounterfactualTask

Record = dict[str, Any]


def write_page(
    task: CounterfactualTask, summary: Summary, records: Sequence[tuple[Path, Record]], means: Sequence[MeanShown],
    lone: Sequence[AttributeShown], prefix: str,
) -> Path:  # fmt: skip
    """Write ``report.html`` (``new.html`` of new images), whole or not at all."""
    names, told = task.asked.names, task.settings
    chosen = chosen_images([record for _, record in records], told.explain.cases)
    unit = image_unit(task.preparation)
    series = moving([partial(image_series, *records[n], names, unit) for n in chosen])
    text = templates("voxplain.counterfactual.page", "voxplain.report").get_template("counterfactual.html.j2").render(
        title=f"How images would look if the classifier said something else: {names[1]} or {names[0]}",
        subtitle=f"{task.asked.source}, explained in a family of images ({told.generator.family})",
        sentence=summary.sentence,
        warnings=summary.warnings,
        notes=(*task.samples.notes, *([series.note] if series.note else [])),
        facts=_facts(task),
        checks=checks_table(summary.facts),
        patterns=pattern_remarks(summary.facts["patterns"]),
        controls=control_remarks(summary.facts["controls"], summary.controls),
        confounders=confounders_table(summary.facts["confounders"]),
        means=[(mean.title, Picture(mean.file, mean.alt, mean.caption)) for mean in means],
        metrics=metrics_table([record for _, record in records]),
        realism=realism_table(summary.facts["realism"]),
        attributes=attributes_table(lone),
        lone=[(coordinate_name(a.facts), Picture(a.file, a.alt, a.caption)) for a in lone],
        overview=overview_table([record for _, record in records]),
        images=[image_shown(*records[n]) for n in chosen],
        series=series,
        generator=_generator(task),
        versions={"voxplain": voxplain.__version__},
    )  # fmt: skip
    return write_whole(task.places.page(prefix), text.encode())


def _facts(task: CounterfactualTask) -> dict[str, object]:
    told = task.settings
    parts = {name: f"{len(part)} images" for name, part in task.split.parts().items()}
    way = f"{told.explain.guidance} guidance" if told.generator.family == "diffusion" else told.direction.kind
    return {
        "data": str(told.data.source), **parts, "image": " × ".join(str(n) for n in task.shape),
        "decision": f"{task.asked.names[1]} above 0, {task.asked.names[0]} below",
        "generator": told.generator.family, "parameters": told.generator.parameters, "direction": way,
        "target": told.explain.target, "limit (standard deviations)": told.explain.limit,
    }  # fmt: skip


def _generator(task: CounterfactualTask) -> list[Picture]:
    """The last sheet of samples, and curves where there are some."""
    folder = task.places.generator
    sheets = sorted(folder.glob("samples/*.png")) or sorted(folder.glob("training/samples/*.png"))
    out = [Picture(sheets[-1], "Samples of the generator.", "Samples of the generator.")] if sheets else []
    curves = folder / "curves.png"
    return (
        [*out, Picture(curves, "Curves of the training.", "KID and diversity by step.")]
        if curves.exists()
        else out
    )
