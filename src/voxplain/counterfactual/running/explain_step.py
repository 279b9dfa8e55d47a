"""`voxplain counterfactual explain`: each image on its way to the classifier's other answer, as files, and a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voxplain.case.atomic import write_whole
from voxplain.counterfactual.classifier.black_box import tally_of
from voxplain.counterfactual.classifier.key import decision_key, stamp
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.counterfactual.measure.change import insertion, sparsity
from voxplain.counterfactual.page.case_figure import case_figure, case_scene
from voxplain.counterfactual.page.frames_figure import frames_figure
from voxplain.counterfactual.page.report import write_page
from voxplain.counterfactual.path import CounterfactualPath
from voxplain.counterfactual.running.attributes_step import coordinate_count, write_attributes
from voxplain.counterfactual.running.case_files import (
    RECORD,
    at_dose,
    emptied,
    write_animation,
    write_grid,
    write_map,
)
from voxplain.counterfactual.running.controls_step import controls_of
from voxplain.counterfactual.running.cost import cost_told, of_attributes, of_queries
from voxplain.counterfactual.running.global_view import write_global
from voxplain.counterfactual.running.guided_cost import guided_cost
from voxplain.counterfactual.running.image_metrics import metrics_of
from voxplain.counterfactual.running.inquiry import Inquiry, inquiry_of, is_asked
from voxplain.counterfactual.running.likeness import Likeness
from voxplain.counterfactual.running.masks import places_for
from voxplain.counterfactual.running.queries_step import queries_key
from voxplain.counterfactual.running.realism_step import realism_of
from voxplain.counterfactual.running.records import NEW, Record, read_record, write_table
from voxplain.counterfactual.running.summary import summary_of
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.counterfactual.running.train_step import trained_generator
from voxplain.counterfactual.running.video import ffmpeg
from voxplain.errors import InputError
from voxplain.inherent.data import Reader, Sample, prepared
from voxplain.inherent.data.new_images import new_samples
from voxplain.inherent.data.sample import UNKNOWN
from voxplain.inherent.shown import shown
from voxplain.inherent.training.record import digest
from voxplain.model import Prepared
from voxplain.report import png

_ENDS = {"below": 0, "above": 1}


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
    asking = _Asking(task, count, tell)
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


class _Asking:
    """A generator, a classifier and a direction, asked image by image."""

    def __init__(self, task: CounterfactualTask, images: int, tell: Callable[[str], None] | None) -> None:
        told, self.task, self.who = task.settings.explain, task, task.asked
        if "video" in told.files:
            ffmpeg()  # that there is none is told before anything is asked
        self.trained = trained_generator(task)
        self.tally = tally_of(self.who.decision)
        if self.tally is not None and tell is not None:
            rank = coordinate_count(task, self.trained.generator)
            tell(cost_told(task, images, rank, queried=not is_asked(task, self.trained)))
        kind = ("cuda" if torch.cuda.is_available() else "cpu") if told.device == "auto" else told.device
        self.device = torch.device(kind)
        self.trained = self.trained.to(self.device)
        self.who.decision.to(self.device)
        self.inquiry = inquiry_of(task, self.trained, self.device)
        self.asked, self.found = self.inquiry.asked, self.inquiry.found
        kept = told.model_dump(mode="json", exclude={"parts", "most", "cases", "device", "controls"})
        self.likeness = Likeness(task, self.device)
        self.oracle = None if self.who.oracle is None else self.who.oracle.to(self.device)
        self.queries = queries_key(task, self.trained)
        self.key = digest([
            self.queries, kept, task.settings.direction.model_dump(mode="json"), repr(task.preparation),
            task.settings.generator.parameters, repr(self.found.carried if self.found else ()), self._oracle_key(),
        ])  # fmt: skip
        self.reader = Reader()

    def _oracle_key(self) -> str:
        asked = self.task.settings.classifier
        if asked is None or asked.oracle is None or self.who.oracle is None:
            return ""
        return decision_key(asked.oracle, self.who.oracle, torch.zeros(self.task.shape))

    def __call__(self, part: str, index: int, sample: Sample) -> Path:
        """Explain one image, unless that is done; its folder."""
        place = self.task.places.case(part, index, sample.id)
        files = sample.image if isinstance(sample.image, tuple) else (sample.image,)
        key = digest([self.key, sample.id, sample.label, sample.slice, [stamp(file) for file in files]])
        record = read_record(place)
        if record is None or record["key"] != key:
            ready = self.ready(sample)
            x, before = ready.image.to(self.device), self._asked()
            target = self._target(x)
            inquiry = self._own(sample, x)
            path = self._explained(sample, ready, x, target, inquiry)
            facts = {**self._facts(part, sample, x, path, inquiry), **inquiry.facts}
            facts["asked"] = self._asked() - before
            files_told = self._write(emptied(place), ready, path, facts["title"], inquiry.generator)
            content = json.dumps({"key": key, **facts, **files_told}, indent=1, ensure_ascii=False)
            write_whole(place / RECORD, content.encode())
        return place

    def _asked(self) -> int:
        """Images that a black box was asked about; 0 of networks, which cost nothing."""
        return 0 if self.tally is None else self.tally.images

    def spent(self, records: Sequence[tuple[Path, Record]]) -> tuple[str, ...]:
        """What a black box was asked for all of it, and of that now; nothing of networks."""
        if self.tally is None:
            return ()
        first = of_queries(self.task) + of_attributes(
            self.task, coordinate_count(self.task, self.trained.generator)
        )
        total = first + sum(int(record["asked"]) for _, record in records)
        now = f"{self.tally.images:,} now, in {self.tally.calls:,} calls"
        return (
            f"{self.who.source}: was asked about {total:,} images for this ({now}, with those that tried it out)",
        )

    def ready(self, sample: Sample) -> Prepared:
        """On the generator's grid.

        Raises:
            InputError: it is another grid.
        """
        ready = prepared(sample, self.task.preparation, self.reader)
        found, wanted = tuple(ready.image.shape), self.trained.shape
        if found[0] != wanted[0]:
            raise InputError(
                f"image of {sample.id}: has {found[0]} channels after preparation, the generator makes images of "
                f"{wanted[0]}; give an image like those that it was trained on"
            )
        if found != wanted:
            raise InputError(
                f"image of {sample.id}: has the size {found[1:]} after preparation, the generator makes images of "
                f"{wanted[1:]}; give prepare.size and train again, or images of one grid"
            )
        return ready

    def _target(self, x: Tensor) -> float:
        told = self.task.settings.explain.target
        if told == "boundary":
            return 0.0
        if told != "typical":
            return float(told)
        with torch.no_grad():
            before = float(self.who.decision(x[None])[0])
        return self.asked.typical[_ENDS["below" if before > 0 else "above"]]

    def _own(self, sample: Sample, x: Tensor) -> Inquiry:
        """That of this image, where the family is tuned to it."""
        try:
            return self.inquiry.own(x)
        except InputError as error:
            raise type(error)(f"{sample.id}: {error}") from None

    def _explained(
        self, sample: Sample, ready: Prepared, x: Tensor, target: float, inquiry: Inquiry
    ) -> CounterfactualPath:
        mask = places_for(self.task, sample, ready, self.reader, self.device)
        try:
            return inquiry.explain(x, target, mask)
        except InputError as error:
            raise type(error)(f"{sample.id}: {error}") from None

    def _facts(
        self, part: str, sample: Sample, x: Tensor, path: CounterfactualPath, inquiry: Inquiry
    ) -> Record:
        """What is told of an image, JSON-able."""
        names = self.who.names
        before, after = float(path.scores[0]), float(path.scores[at_dose(path)])
        decision, towards = (names[1], names[0]) if before > 0 else names
        label = self.task.samples.classes[sample.label] if _known(sample) else ""  # type: ignore[index]
        changed, sign = path.frames[at_dose(path)], 1.0 if path.target >= before else -1.0
        null = inquiry.nulls(x, path, sign)
        facts: dict[str, Any] = dict(path.diagnostics)
        facts |= {
            "part": part, "id": sample.id, "patient": sample.group, "label": label, "decision": decision,
            "right": label == decision if label in names else None, "towards": towards,
            "title": f"{sample.id}: {decision}" + ("" if label in ("", decision) else f", but it is {label}"),
            "logit before": before, "logit after": after, "target": path.target, "flipped": (before > 0) != (after > 0),
            **metrics_of(inquiry.explainer, self.likeness, path, sample.group, self.oracle),
            "sparsity": sparsity(path.frames[0], changed),
            "cout": insertion(self.who.decision, path.frames[0], changed, towards=sign),
            "distance ratio": float(facts["distance after"]) / float(facts["typical distance"]),
            "random flips": null.alike, "random flips ever": null.ever, "withheld": path.withheld.get("difference", ""),
            "doses": path.doses.tolist(), "scores": path.scores.tolist(),
        }  # fmt: skip
        return facts

    def _write(
        self, place: Path, ready: Prepared, path: CounterfactualPath, title: str, generator: Generator
    ) -> Record:
        """All files but the record, and what it must tell of them."""
        kinds, withheld = self.task.settings.explain.files, "difference" in path.withheld
        before, after = path.frames[0], path.frames[at_dose(path)]
        write_grid(place, before.cpu().numpy(), after.cpu().numpy())
        with torch.no_grad():
            copy = generator.decode(generator.encode(before[None]))[0]
        frames = ready.restore(path.frames.flatten(0, 1).cpu())
        channels = len(before)
        if "frames" in kinds:
            write_map(place, "frames", frames, ready)
        if "difference" in kinds and not withheld:
            write_map(place, "difference", ready.restore(path.map("difference").cpu()), ready)
        home = [ready.restore(image.cpu()) for image in (before, copy, after)]
        base = case_scene(home[0], home[2], ready.case.geometry)
        doses, scores = path.doses.tolist(), path.scores.tolist()
        figure = case_figure(base, home[1], home[2], title, withheld=withheld)
        strip = frames_figure(frames[::channels], doses, scores, base, path.dose, self.who.names[1])
        write_whole(place / "figure.png", png(figure, 100))
        write_whole(place / "frames.png", png(strip, 100))
        write_animation(place, frames[::channels], doses, scores, base, kinds)
        return {
            "files": sorted(file.name for file in place.iterdir()),
            "figure": [figure.alt, figure.caption], "strip": [strip.alt, strip.caption],
        }  # fmt: skip


def _known(sample: Sample) -> bool:
    return isinstance(sample.label, int) and sample.label != UNKNOWN
