"""Image by image: the evidence, the decision as a sum of it, the mask and why it is what it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxplain.inherent.evaluate.classification import softmax
from voxplain.inherent.mask.segment import HEALTHY
from voxplain.inherent.overlap import dice
from voxplain.inherent.page.case_figure import case_figure
from voxplain.inherent.running.case_files import Grid
from voxplain.inherent.running.thresholds import WHY, segmentation_of
from voxplain.report import Picture, png

if TYPE_CHECKING:
    from voxplain.inherent.maps import Maps
    from voxplain.inherent.mask import Segmentation, Segmented
    from voxplain.inherent.running.evaluate_step import Evaluation
    from voxplain.inherent.running.task import Task


@dataclass(frozen=True)
class Share:
    """A class's line: what speaks for it and against it, and what it comes to."""

    name: str
    above: float
    below: float
    unexplained: float
    logit: float
    probability: float
    decided: bool
    true: bool


@dataclass(frozen=True)
class CaseShown:
    """One image of the page.

    Attributes:
        id, patient: whose.
        figure: image, evidence per class, mask.
        shares: the decision, class by class; () where the network does not divide it.
        right: whether the decision is the label.
        mask: how the mask came about, in sentences.
        truth: what is known, in a sentence.
    """

    id: str
    patient: str
    figure: Picture
    shares: tuple[Share, ...]
    right: bool
    mask: tuple[str, ...]
    truth: str


def cases_shown(task: Task, found: Evaluation, test: Maps) -> tuple[CaseShown, ...]:
    """As many images of each class as of the others: wrong decisions first, then spread over confidence."""
    segmentation = segmentation_of(task.settings.mask, found.headline) if found.headline else None
    return tuple(
        _shown(task, found, test, index, segmentation) for index in chosen(test, task.settings.evaluate.cases)
    )


def chosen(maps: Maps, count: int) -> list[int]:
    """Indices of the images that are shown."""
    each = -(-count // maps.classes)
    confidence = softmax(maps.logits).max(axis=1)
    found: list[int] = []
    for k in range(maps.classes):
        mine = np.flatnonzero(maps.labels == k)
        wrong = mine[maps.predicted[mine] != k][: each // 2]
        rest = np.setdiff1d(mine, wrong)
        ordered = rest[np.argsort(confidence[rest], kind="stable")]
        spots = np.linspace(0, max(len(ordered) - 1, 0), min(each - len(wrong), len(ordered)))
        found += [*wrong.tolist(), *ordered[np.unique(spots.round().astype(int))].tolist()]
    return found[:count]


def _shown(task: Task, found: Evaluation, test: Maps, i: int, segmentation: Segmentation | None) -> CaseShown:
    about = _about(found, i)
    made = segmentation(test, i) if segmentation else None
    classes = task.samples.classes
    label, decided = classes[int(test.labels[i])], classes[int(test.predicted[i])]
    image = test.images[i]
    assert image is not None
    drawing = case_figure(
        image, test.evidence[i], classes, Grid.from_dict(about["grid"]), mask=made.mask if made else None,
        truth=test.masks[i], title=f"{test.ids[i]}: {decided}" + ("" if label == decided else f", but it is {label}"),
    )  # fmt: skip
    return CaseShown(
        test.ids[i],
        test.groups[i],
        Picture(png(drawing, 100), drawing.alt, drawing.caption),
        _shares(test, i, about, classes),
        label == decided,
        _why(made, segmentation) if made and segmentation else (),
        _truth(test, i, label, made),
    )


def _about(found: Evaluation, index: int) -> dict[str, Any]:
    from voxplain.inherent.maps_folder import MapsFolder

    folder = found.places.maps("test")
    key = json.loads((folder / "key.json").read_text(encoding="utf-8"))["key"]
    return MapsFolder(folder, key).about(index)


def _shares(test: Maps, i: int, about: dict[str, Any], classes: tuple[str, ...]) -> tuple[Share, ...]:
    sums = about["sums"]
    if sums is None:
        return ()
    chances = softmax(test.logits)[i]
    return tuple(
        Share(
            name, sums["for"][k], sums["against"][k], sums["unexplained"][k], float(test.logits[i, k]),
            float(chances[k]), k == test.predicted[i], k == test.labels[i],
        )
        for k, name in enumerate(classes)
    )  # fmt: skip


def _why(made: Segmented, segmentation: Segmentation) -> tuple[str, ...]:
    threshold = segmentation.threshold
    first = f"Threshold {made.threshold:.3g} of {threshold.title}: {WHY[threshold.supervision]}."
    if made.reason == HEALTHY:
        return first, "No mask: the decision is healthy."
    if made.reason:
        return first, f"No mask: {made.reason}; the score reaches {float(made.score.max()):.3g}."
    parts = f"{len(made.lesions)} part{'s' if len(made.lesions) > 1 else ''}, {int(made.mask.sum())} voxels"
    refined = f"; {int(made.before.sum())} before the refinement by {segmentation.refinement.name}" if (
        made.refined and segmentation.refinement
    ) else ""  # fmt: skip
    return first, f"Mask: where the score is above it, up to {float(made.score.max()):.3g}; {parts}{refined}."


def _truth(test: Maps, i: int, label: str, made: Segmented | None) -> str:
    truth = test.masks[i]
    if truth is None:
        return f"Truth: {label}; no mask is known."
    if not truth.any():
        return f"Truth: {label}, nothing to mark."
    told = f"Truth: {label}, {int(truth.sum())} voxels"
    if made is None:
        return f"{told}."
    before = f" ({dice(made.before, truth):.2f} before refinement)" if made.refined else ""
    return f"{told}; Dice {dice(made.mask, truth):.2f}{before}."
