"""The questions that can be asked: which class, where, in which score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from os import PathLike
from typing import Literal

import numpy as np
import scipy
import torch
from torch import Tensor

from voxplain.errors import TargetError
from voxplain.target.functional import SCORES, Functional, Score
from voxplain.target.region import MaskRegion, label_regions
from voxplain.target.scene import Resolved, Scene, slug

Name = str | int


@dataclass(frozen=True, kw_only=True)
class Target(ABC):
    """A question about a network's output on a case.

    Args:
        score: ``logit`` (raw output), ``margin`` (over the strongest other class of the clean prediction,
            frozen), ``log_probability`` or ``probability``.
        reduce: ``mean`` or ``sum`` over the region.
    """

    score: Score = "logit"
    reduce: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        if self.score not in SCORES:
            raise TargetError(f"score: found {self.score!r}, expected one of {', '.join(SCORES)}")
        if self.reduce not in ("mean", "sum"):
            raise TargetError(f"reduce: found {self.reduce!r}, expected 'mean' or 'sum'")

    @abstractmethod
    def resolve(self, scene: Scene) -> list[Resolved]:
        """The scalars that this question means on one case."""

    def _over(self, scene: Scene, mask: Tensor, index: int, name: str, kind: str) -> list[Resolved]:
        region = MaskRegion(mask)
        return [scene.resolved(name, index, region, self.score, self.reduce, kind)]


@dataclass(frozen=True)
class ClassScore(Target):
    """A classifier's score for one class; ``None`` is the class it predicts."""

    class_name: Name | None = None

    def resolve(self, scene: Scene) -> list[Resolved]:
        scene.require("classification", "class score")
        chosen = self.class_name
        index = int(scene.prediction.labels) if chosen is None else scene.class_index(chosen)
        return [_class_score(scene, index, self.score)]


@dataclass(frozen=True)
class PredictedRegion(Target):
    """The class's score over the voxels where the clean stitched prediction says this class."""

    class_name: Name = 1

    def resolve(self, scene: Scene) -> list[Resolved]:
        scene.require("segmentation", "predicted region")
        index = scene.class_index(self.class_name)
        name = scene.classes[index]
        return [scene.resolved(name, index, scene.predicted(index), self.score, self.reduce, "predicted")]


@dataclass(frozen=True)
class AllClasses(Target):
    """Every class that the prediction holds, each over its own region; all classes of a classifier.

    Args:
        background: also class 0 of a segmentation, which the anatomy is usually not in.
    """

    background: bool = False

    def resolve(self, scene: Scene) -> list[Resolved]:
        if scene.task == "classification":
            return [_class_score(scene, index, self.score) for index in range(len(scene.classes))]
        first = 0 if self.background or scene.output == "sigmoid" else 1
        indices = range(first, len(scene.classes))
        if scene.prediction.positive is not None:
            regions = [scene.predicted(c) for c in indices]
        else:
            regions = list(label_regions(scene.prediction.labels, list(indices)))
        found = [
            scene.resolved(scene.classes[c], c, region, self.score, self.reduce, "predicted")
            for c, region in zip(indices, regions, strict=True)
            if region.count
        ]
        if not found:
            raise TargetError(
                "target all: the prediction holds nothing but background, so there is nothing to explain"
            )
        return found


@dataclass(frozen=True)
class LabelRegion(Target):
    """The class's score over a region of the ground truth.

    Args:
        value: value in the label map; by default what the model says of the class, which is its index as a rule.
    """

    class_name: Name = 1
    value: int | None = None

    def resolve(self, scene: Scene) -> list[Resolved]:
        scene.require("segmentation", "label region")
        index = scene.class_index(self.class_name)
        mask = scene.truth_mask(index, self.value, f"label:{self.class_name}")
        name = f"label-{scene.classes[index]}" + ("" if self.value is None else f"-{self.value}")
        return self._over(scene, mask, index, name, "label")


@dataclass(frozen=True)
class Component(Target):
    """One connected component (26-neighbourhood in 3-D) of the class's predicted region.

    Args:
        rank: 1 is the largest.
        voxel: a voxel of the case inside the wanted component, instead of a rank.
    """

    class_name: Name = 1
    rank: int = 1
    voxel: tuple[int, ...] | None = None

    def resolve(self, scene: Scene) -> list[Resolved]:
        scene.require("segmentation", "component")
        index = scene.class_index(self.class_name)
        mask = scene.predicted_mask(index).numpy()
        parts, count = scipy.ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
        class_name = scene.classes[index]
        if self.voxel is not None:
            part = int(parts[scene.voxel(self.voxel)])
            if part == 0:
                raise TargetError(
                    f"target component:{class_name}: voxel {self.voxel} is not inside the predicted region"
                )
            name = f"component-{class_name}-at-" + "-".join(map(str, self.voxel))
        else:
            if self.rank < 1:
                raise TargetError(
                    f"target component:{class_name}: found rank {self.rank}, expected 1 (largest) or more"
                )
            if 0 < count < self.rank:
                raise TargetError(
                    f"target component:{class_name}: found rank {self.rank}, but the class has {count} connected component"
                    + ("" if count == 1 else "s")
                )
            sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
            order = np.argsort(-sizes, kind="stable") + 1
            part = int(order[self.rank - 1]) if self.rank <= count else -1
            name = f"component-{class_name}-{self.rank}"
        return self._over(scene, torch.from_numpy(parts == part), index, name, "component")


@dataclass(frozen=True)
class FalsePositives(Target):
    """Where the class is predicted but is not the truth: why does the network see it there?

    Args:
        value: the class's value in the label map; the class's index by default.
    """

    class_name: Name = 1
    value: int | None = None

    def resolve(self, scene: Scene) -> list[Resolved]:
        scene.require("segmentation", "false positives")
        index = scene.class_index(self.class_name)
        truth = scene.truth_mask(index, self.value, f"fp:{self.class_name}")
        mask = scene.predicted_mask(index) & ~truth
        return self._over(scene, mask, index, f"fp-{scene.classes[index]}", "false positives")


@dataclass(frozen=True)
class FalseNegatives(Target):
    """Where the class is the truth but is not predicted: what speaks against it there?

    Args:
        value: the class's value in the label map; the class's index by default.
    """

    class_name: Name = 1
    value: int | None = None

    def resolve(self, scene: Scene) -> list[Resolved]:
        scene.require("segmentation", "false negatives")
        index = scene.class_index(self.class_name)
        truth = scene.truth_mask(index, self.value, f"fn:{self.class_name}")
        mask = truth & ~scene.predicted_mask(index)
        return self._over(scene, mask, index, f"fn-{scene.classes[index]}", "false negatives")


@dataclass(frozen=True)
class Boundary(Target):
    """The shell about the border of the predicted region.

    Args:
        width: largest distance of a shell voxel's centre from the border's nearest voxel on the other side,
            in millimetres (in voxels for pictures).
        side: the shell's inner part, outer part, or both.
    """

    class_name: Name = 1
    width: float = 2.0
    side: Literal["inner", "outer", "both"] = "both"

    def resolve(self, scene: Scene) -> list[Resolved]:
        scene.require("segmentation", "boundary")
        index = scene.class_index(self.class_name)
        name = scene.classes[index]
        if self.width <= 0 or self.side not in ("inner", "outer", "both"):
            raise TargetError(
                f"target boundary:{name}: found width {self.width} and side {self.side!r}, "
                "expected a positive width in mm and 'inner', 'outer' or 'both'"
            )
        mask = scene.predicted_mask(index).numpy()
        # spacing comes from headers in single precision: a width of exactly one voxel must reach the neighbour
        reach = self.width + 1e-3 * min(scene.spacing)
        shell = np.zeros_like(mask)
        if mask.any() and not mask.all():
            if self.side != "outer":
                shell |= mask & (scipy.ndimage.distance_transform_edt(mask, scene.spacing) <= reach)
            if self.side != "inner":
                shell |= ~mask & (scipy.ndimage.distance_transform_edt(~mask, scene.spacing) <= reach)
        label = f"boundary-{name}-{self.width:g}{scene.unit}" + (
            "" if self.side == "both" else f"-{self.side}"
        )
        return self._over(scene, torch.from_numpy(shell), index, label, "boundary")


@dataclass(frozen=True)
class Voxel(Target):
    """The score at one voxel of the case; without a class, the class predicted there."""

    index: tuple[int, ...] = (0, 0, 0)
    class_name: Name | None = None

    def resolve(self, scene: Scene) -> list[Resolved]:
        scene.require("segmentation", "voxel")
        where = scene.voxel(self.index)
        label = int(scene.prediction.labels[where])
        chosen = label if self.class_name is None else scene.class_index(self.class_name)
        mask = torch.zeros(scene.prediction.labels.shape, dtype=torch.bool)
        mask[where] = True
        name = f"voxel-{scene.classes[chosen]}-" + "-".join(map(str, self.index))
        return self._over(scene, mask, chosen, name, "voxel")


@dataclass(frozen=True, eq=False)
class Mask(Target):
    """The class's score over a user's mask on the case's grid.

    Args:
        mask: (*case spatial) array whose non-zero voxels count, or a path to an image of it.
    """

    class_name: Name = 1
    mask: np.ndarray | str | PathLike[str] | None = None

    def resolve(self, scene: Scene) -> list[Resolved]:
        scene.require("segmentation", "mask")
        if self.mask is None:
            raise TargetError(f"target mask:{self.class_name}: no mask was given; pass an array or a path")
        is_file = isinstance(self.mask, (str, PathLike))
        array = scene.read_mask(str(self.mask)) if is_file else np.asarray(self.mask)
        if not np.any(array):
            where = self.mask if is_file else "the given array"
            raise TargetError(
                f"target mask:{self.class_name}: {where} is empty, expected at least one non-zero voxel"
            )
        index = scene.class_index(self.class_name)
        region = scene.bring(array != 0)
        return self._over(scene, region, index, f"mask-{scene.classes[index]}", "mask")


def _class_score(scene: Scene, index: int, score: Score) -> Resolved:
    functional = Functional(
        class_index=index,
        score=score,
        output=scene.output,
        channels=scene.channels,
        region=None,
        rival=scene.rival(index, score),
    )
    name = slug((scene.classes[index] or str(index)) + ("" if score == "logit" else f"-{score}"))
    return Resolved(name, index, scene.classes[index], score, functional, kind="class")
