"""A classifier asked image by image; what is there already is not asked again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from voxplain.case.atomic import write_whole
from voxplain.counterfactual.classifier.black_box import tally_of
from voxplain.counterfactual.classifier.key import decision_key, stamp
from voxplain.counterfactual.path import CounterfactualPath
from voxplain.counterfactual.running.attributes_step import coordinate_count
from voxplain.counterfactual.running.case_files import RECORD, emptied
from voxplain.counterfactual.running.cost import cost_told, of_attributes, of_queries
from voxplain.counterfactual.running.image_facts import facts_of
from voxplain.counterfactual.running.image_files import write_image
from voxplain.counterfactual.running.inquiry import Inquiry, answered_first, inquiry_of
from voxplain.counterfactual.running.likeness import Likeness
from voxplain.counterfactual.running.masks import places_for
from voxplain.counterfactual.running.queries_step import queries_key
from voxplain.counterfactual.running.records import Record, read_record
from voxplain.counterfactual.running.task import CounterfactualTask
from voxplain.counterfactual.running.train_step import trained_generator
from voxplain.counterfactual.running.video import ffmpeg
from voxplain.errors import InputError
from voxplain.inherent.data import Reader, Sample, prepared
from voxplain.inherent.training.record import digest
from voxplain.model import Prepared

_ENDS = {"below": 0, "above": 1}


class Asking:
    """A generator, a classifier and a direction, asked image by image.

    Args:
        task: with its settings.
        images: how many will be asked about.
        tell: is given what a black box will be asked.

    Attributes:
        trained: the generator, on its device.
        asked, found: what the classifier said, and the direction; None of guidance.
        likeness: compares with training images.
        queries, key: of what decides the answers, and all that an explanation depends on.
        device: where.

    Raises:
        InputError: no generator, or a direction whose checks are low.
        ModelError: a classifier that gives no logits.
    """

    def __init__(self, task: CounterfactualTask, images: int, tell: Callable[[str], None] | None) -> None:
        told, self.task, self.who = task.settings.explain, task, task.asked
        if "video" in told.files:
            ffmpeg()  # that there is none is told before anything is asked
        kind = ("cuda" if torch.cuda.is_available() else "cpu") if told.device == "auto" else told.device
        self.device = torch.device(kind)
        self.trained = trained_generator(task).to(self.device)
        self.tally = tally_of(self.who.decision)
        if self.tally is not None and tell is not None:
            count = coordinate_count(task, self.trained.generator)
            tell(cost_told(task, images, count, answered=answered_first(task, self.trained)))
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
            facts = facts_of(self.task, self.likeness, self.oracle, part, sample, x, path, inquiry)
            facts |= inquiry.facts
            facts["asked"] = self._asked() - before
            files_told = write_image(
                self.task, emptied(place), ready, path, facts["title"], inquiry.generator
            )
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
        count = coordinate_count(self.task, self.trained.generator)
        first = of_queries(self.task) + of_attributes(self.task, count)
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
