"""What is decided about an image, each decision with masks of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxplain.inherent.maps import Maps
from voxplain.inherent.running.task import Task
from voxplain.target.scene import slug


@dataclass(frozen=True)
class Question:
    """Which of exclusive classes it is; or, of independent labels, whether one applies.

    Attributes:
        name: the label; "" of exclusive classes.
        index: the label's; None of exclusive classes.
        healthy: the class of its maps that means "nothing to see"; None where there is none.
        suffix: of the names of its files.
    """

    name: str
    index: int | None
    healthy: int | None
    suffix: str

    def of(self, maps: Maps) -> Maps:
        """What the maps of all classes say about it."""
        return maps if self.index is None else maps.one(self.index)


def questions(task: Task) -> tuple[Question, ...]:
    """One of exclusive classes, one per independent label."""
    if not task.samples.multi_label:
        return (Question("", None, task.healthy, ""),)
    plain = [slug(name) for name in task.samples.classes]
    alike = len({name.casefold() for name in plain}) < len(plain)
    return tuple(
        Question(name, k, 0, f"-{plain[k]}-{k}" if alike else f"-{plain[k]}")
        for k, name in enumerate(task.samples.classes)
    )


def words(maps: Maps, i: int, classes: Sequence[str]) -> tuple[str, str]:
    """An image's label and decision; of independent labels all that apply, as tables spell them: with ; between."""
    if not maps.multi_label:
        return classes[int(maps.labels[i])], classes[int(maps.predicted[i])]
    label, decided = (np.flatnonzero(a).tolist() for a in (maps.labels[i], maps.logits[i] > 0))
    return ";".join(classes[k] for k in label), ";".join(classes[k] for k in decided)
