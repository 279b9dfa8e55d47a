"""All that a target may look at while it is resolved, and what comes out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from torch import Tensor

from voxplain.errors import TargetError
from voxplain.model.label_values import Values, foreign_value, where
from voxplain.target.functional import Functional, Output, Score
from voxplain.target.prediction import Prediction
from voxplain.target.region import MaskRegion, Region, label_regions

Status = Literal["ok", "absent"]


@dataclass(frozen=True)
class Resolved:
    """One target on one case: a name, a status, and the frozen scalar where there is one.

    Attributes:
        name: unique among the targets of a problem and safe as a file name.
        status: ``ok``, or ``absent`` where the region is empty: then there is nothing to explain.
    """

    name: str
    class_index: int
    class_name: str
    score: Score
    functional: Functional | None
    status: Status = "ok"
    note: str = ""
    kind: str = "predicted"

    def repeats(self, other: Resolved) -> bool:
        """Whether another target asks the very same, so that it need not be computed again."""
        if self.kind not in ("predicted", "class", "label") or self.name != other.name:
            return False
        same = (self.kind, self.class_index, self.score) == (other.kind, other.class_index, other.score)
        return same and self._scale == other._scale

    @property
    def _scale(self) -> float | None:
        return self.functional.scale if self.functional else None

    @property
    def region(self) -> Region | None:
        return self.functional.region if self.functional else None


@dataclass(frozen=True)
class Scene:
    """The clean prediction of a prepared case, and the ways from names and case voxels into it.

    Attributes:
        spacing: of the prepared grid, in ``unit``: millimetres, or pixels where the case has no geometry.
        label: (*spatial) ground truth on the prepared grid, or ``None``.
        label_values: of each class, or ``None`` where nobody knows them.
        bring: carries a mask from the case's grid to the prepared one (nearest).
        voxel: carries a voxel index likewise.
    """

    classes: tuple[str, ...]
    channels: int
    output: Output
    task: Literal["classification", "segmentation"]
    spacing: tuple[float, ...]
    unit: Literal["mm", "px"]
    prediction: Prediction
    label: Tensor | None
    label_values: Values | None
    class_index: Callable[[str | int], int]
    bring: Callable[[np.ndarray], Tensor]
    voxel: Callable[[Sequence[int]], tuple[int, ...]]
    read_mask: Callable[[str], np.ndarray]

    def require(self, task: str, asked: str) -> None:
        if self.task != task:
            kind = (
                "a class score such as 'predicted' or a class name"
                if task == "segmentation"
                else "a region target"
            )
            raise TargetError(
                f"target {asked}: it is for {task}, but this is a {self.task} network; ask for {kind}"
            )

    def predicted(self, class_index: int) -> Region:
        """Voxels where the class wins; for independent classes, where it is beyond its threshold."""
        if self.prediction.positive is not None:
            return MaskRegion(self.prediction.positive[class_index])
        return label_regions(self.prediction.labels, [class_index])[0]

    def predicted_mask(self, class_index: int) -> Tensor:
        if self.prediction.positive is not None:
            return self.prediction.positive[class_index]
        return self.prediction.labels == class_index

    def truth(self, asked: str) -> Tensor:
        if self.label is None:
            raise TargetError(
                f"target {asked}: it needs a ground-truth label map, but the case has none; pass label=… (--label)"
            )
        return self.label

    def truth_mask(self, class_index: int, value: int | None, asked: str) -> Tensor:
        """Where the ground truth has the class; a label map with values that mean no class needs a value.

        Raises:
            TargetError: no label, or nobody knows which of its values is the class's.
        """
        label = self.truth(asked)
        if value is not None:
            return label == value
        if self.label_values is None:
            raise TargetError(
                f"target {asked}: the network's labels are independent of each other, and which value of the label map "
                f"means '{self.classes[class_index]}' is not known; say which, as {asked}:1, or give the model label_values"
            )
        foreign = foreign_value(label, self.label_values)
        if foreign is not None:
            raise TargetError(
                f"target {asked}: the label map holds {foreign}, which is no class (0 to {len(self.classes) - 1}); "
                f"say which value is meant: {asked}:{foreign}"
            )
        return where(label, self.label_values[class_index])

    def resolved(
        self,
        name: str,
        class_index: int,
        region: Region,
        score: Score,
        reduce: str,
        kind: str,
    ) -> Resolved:
        """A segmentation target over ``region``; absent where the region is empty."""
        class_name = self.classes[class_index]
        name += "" if score == "logit" else f"-{score}"
        if region.count == 0:
            why = f"{name}: no voxel of '{class_name}' here, so there is nothing to explain"
            return Resolved(slug(name), class_index, class_name, score, None, "absent", why, kind)
        functional = Functional(
            class_index=class_index,
            score=score,
            output=self.output,
            channels=self.channels,
            region=region,
            scale=1.0 / region.count if reduce == "mean" else 1.0,
            rival=self.rival(class_index, score),
        )
        return Resolved(slug(name), class_index, class_name, score, functional, kind=kind)

    def rival(self, class_index: int, score: Score) -> Tensor | int | None:
        """The class that a margin is measured against, frozen; ``None`` where classes are independent."""
        if score != "margin" or self.channels == 1 or self.output == "sigmoid":
            return None
        rival = self.prediction.rival(class_index)
        return rival if self.task == "segmentation" else int(rival)


def slug(name: str) -> str:
    """A name that is safe as a file name on every system.

    >>> slug("Thalamus-Proper* (left)")
    'Thalamus-Proper-left'
    """
    plain = re.sub(r"[^\w.+-]+", "-", name).strip("-.")
    # a file name holds 255 bytes, and numbers and suffixes are still to come
    return plain.encode()[:180].decode(errors="ignore").strip("-.") or "target"


def unique(targets: list[Resolved]) -> tuple[Resolved, ...]:
    """Number names that occur twice, also where they differ in letter case alone (some file systems fold it)."""
    taken = {target.name.casefold() for target in targets}
    used: set[str] = set()
    out = []
    for target in targets:
        name, number = target.name, 1
        while name.casefold() in used or (number > 1 and name.casefold() in taken):
            number += 1
            name = f"{target.name}-{number}"
        used.add(name.casefold())
        out.append(target if number == 1 else replace(target, name=name))
    return tuple(out)
