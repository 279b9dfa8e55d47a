"""`voxplain counterfactual explain`: each image on its way to the classifier's other answer, as files, and a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxplain.case.atomic import write_whole
from voxplain.counterfactual.page.report import write_page
from voxplain.counterfactual.running.asking import Asking
from voxplain.counterfactual.running.attributes_step import write_attributes
from voxplain.counterfactual.running.case_files import RECORD
from voxplain.counterfactual.running.controls_step import controls_of
from voxplain.counterfactual.running.global_view import write_global
from voxplain.counterfactual.running.guided_cost import guided_cost
from voxplain.counterfactual.running.realism_step import realism_of
from voxplain.counterfactual.running.records import NEW, Record, read_record, write_table
from voxplain.counterfactual.running.summary import summary_of
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.errors import InputError
from voxplain.inherent.data import Sample
from voxplain.inherent.data.new_images import new_samples
from voxplain.inherent.shown import shown


@dataclass(frozen=True)
class Explained:
    """What came out.

    Attributes:
        page: its file.
        lines: the result in words.
    """

    page: Path
    lines: tuple[str, ...]


def explain_images(
    task: CounterfactualTask,
    images: Sequence[str | Path] = (),
    *,
    progress: bool = True,
    tell: Callable[[str], None] | None = None,
) -> Explained:
    """Ask about the parts of the settings, or about new images, and write tables and the page.

    Every image gets a folder ``explanation/PART/…`` with its maps on its own grid, pictures and ``explanation.json``. What
    is there already is not asked again.

    Args:
        task: with settings of a generator that is trained, and a classifier.
        images: without a class, instead of the parts, see `new_samples`.
        progress: show a bar on a terminal.
        tell: is given what it will cost, where that is much or a black box is asked, before it begins.

    Raises:
        InputError: no generator, a direction whose checks are low, images of another shape.
        ModelError: a classifier that gives no logits.
    """
    new = new_samples(images, task.samples, task.settings.data.slices, task.preparation.orientation)
    parts = {NEW: list(enumerate(new))} if images else _parts(task)
    count = sum(map(len, parts.values()))
    if tell is not None and task.settings.generator.family == "diffusion":
        tell(guided_cost(task, count))
    asking = Asking(task, count, tell)
    prefix = f"{NEW}_" if images else ""
    places: list[Path] = []
    for part, samples in parts.items():
        with shown(f"{part} images", progress) as show:
            for done, (index, sample) in enumerate(samples, 1):
                places.append(asking(part, index, sample))
                show(f"{part} images", done, len(samples))
    records = [(place, _finished(place)) for place in places]
    _, first = next(iter(parts.values()))[0]
    write_table(task.places.explanation, prefix, [record for _, record in records])
    means = write_global(task.places.explanation / f"{prefix}global", records, asking.ready(first))
    lone = write_attributes(task, asking.trained, asking.asked, asking.queries, asking.ready(first))
    realism = realism_of(task, asking.likeness, records, asking.device)
    controls = controls_of(task, asking.trained.generator, asking.asked, records, asking.key, asking.device)
    summary = summary_of(
        asking.trained, asking.asked, asking.found, [record for _, record in records], realism, controls
    )
    told = json.dumps(summary.facts, indent=1, ensure_ascii=False)
    write_whole(task.places.explanation / f"{prefix}summary.json", told.encode())
    page = write_page(task, summary, records, means, lone, prefix)
    return Explained(page, (summary.sentence, *asking.spent(records), *summary.controls, *summary.warnings))


def _parts(task: CounterfactualTask) -> dict[str, list[tuple[int, Sample]]]:
    divided, told = task.split.parts(), task.settings.explain
    out: dict[str, list[tuple[int, Sample]]] = {}
    for part in told.parts:
        if not divided.get(part):
            raise InputError(
                f"explain.parts: found {part}, which is empty; expected {', '.join(divided)}, or give split another share"
            )
        chosen = np.arange(len(divided[part]))
        if told.most is not None:
            rng = np.random.default_rng([task.settings.direction.seed, 0xE8])
            chosen = np.sort(rng.permutation(chosen)[: told.most])
        out[part] = [(int(n), task.samples[divided[part][int(n)]]) for n in chosen]
    return out


def _finished(place: Path) -> Record:
    record = read_record(place)
    if record is None:
        raise InputError(
            f"{place}: its {RECORD} went away while others were explained; run the command again"
        )
    return record
