"""Image by image: the evidence, the decision as a sum of it, the mask and why it is what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxplain.inherent.evaluate.classification import sigmoid, softmax
from voxplain.inherent.maps_folder import MapsFolder
from voxplain.inherent.mask.segment import HEALTHY
from voxplain.inherent.overlap import dice
from voxplain.inherent.page.case_figure import case_figure
from voxplain.inherent.page.sums import SumBar, sum_bars
from voxplain.inherent.running.case_files import Grid
from voxplain.inherent.running.questions import words
from voxplain.inherent.running.thresholds import segmentation_of, why
from voxplain.inherent.score_map import ClassScore
from voxplain.report import Picture, png

if TYPE_CHECKING:
    from voxplain.inherent.maps import Maps
    from voxplain.inherent.mask import Segmentation, Segmented
    from voxplain.inherent.running.evaluate_step import Evaluation
    from voxplain.inherent.running.judging import Judged
    from voxplain.inherent.running.questions import Question
    from voxplain.inherent.running.task import Task

NOTHING = "nothing"  # the label of an image to which none applies


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
        figures: image, evidence, mask; one of exclusive classes, one per independent label that is decided or true.
        shares: the decision, class by class; () where the network does not divide it.
        bars: the same, drawn.
        right: whether the decision is the label; of independent labels, whether all are.
        mask: how masks came about, in sentences.
        truth: what is known, in sentences.
    """

    id: str
    patient: str
    figures: tuple[Picture, ...]
    shares: tuple[Share, ...]
    bars: tuple[SumBar, ...]
    right: bool
    mask: tuple[str, ...]
    truth: tuple[str, ...]


def cases_shown(task: Task, found: Evaluation, test: Maps) -> tuple[CaseShown, ...]:
    """As many images of each class as of the others: wrong decisions first, then spread over confidence."""
    told, count = MapsFolder.opened(found.places.maps("test")), task.settings.evaluate.cases
    views = [(one, one.question.of(test)) for one in found.judged]
    return tuple(_shown(task, views, test, i, told.about(i)) for i in chosen(test, count))


def chosen(maps: Maps, count: int) -> list[int]:
    """Indices of the images that are shown; of independent labels, as many of those with each, and of those with none."""
    if not maps.multi_label:
        kinds = [maps.labels == k for k in range(maps.classes)]
        wrong, confidence = maps.predicted != maps.labels, softmax(maps.logits).max(axis=1)
    else:
        kinds = [maps.labels[:, k] > 0 for k in range(maps.classes)] + [~maps.labels.any(axis=1)]
        wrong = ((maps.logits > 0) != (maps.labels > 0)).any(axis=1)
        confidence = np.abs(maps.logits).min(axis=1)
    each = -(-count // len(kinds))
    found: list[int] = []
    for kind in kinds:
        mine = np.setdiff1d(np.flatnonzero(kind), found)
        first = mine[wrong[mine]][: each // 2]
        rest = np.setdiff1d(mine, first)
        ordered = rest[np.argsort(confidence[rest], kind="stable")]
        spots = np.linspace(0, max(len(ordered) - 1, 0), min(each - len(first), len(ordered)))
        found += [*first.tolist(), *ordered[np.unique(spots.round().astype(int))].tolist()]
    return found[:count]


def _shown(
    task: Task, views: list[tuple[Judged, Maps]], test: Maps, i: int, about: dict[str, Any]
) -> CaseShown:
    label, decided = words(test, i, task.samples.classes)
    title = f"{test.ids[i]}: {decided or NOTHING}"
    title += "" if label == decided else f", but it is {label or NOTHING}"
    grid, figures, mask, truth = Grid.from_dict(about["grid"]), [], [], []
    for judged, maps in told_questions(views, i):
        headline = judged.headline
        segmentation = segmentation_of(task.settings.mask, headline) if headline else None
        made = segmentation(maps, i) if segmentation else None
        figures.append(_figure(task, judged.question, test, maps, i, grid, made, title))
        of = f"{judged.question.name}: " if judged.question.name else ""
        if made and segmentation:
            score = score_told(segmentation, judged.question, maps, i, task.samples.classes)
            mask += [of + line for line in _why(made, segmentation, score, judged.question.name)]
        name = label if judged.question.index is None else ("present" if maps.labels[i] else "absent")
        truth.append(of + _truth(maps, i, name, made))
    if not figures:
        figures.append(_figure(task, None, test, test, i, grid, None, title))
        truth.append(f"Truth: {NOTHING}, and nothing is decided.")
    shares = _shares(test, i, about, task.samples.classes)
    return CaseShown(
        test.ids[i], test.groups[i], tuple(figures), shares, sum_bars(shares), label == decided,
        tuple(mask), tuple(truth),
    )  # fmt: skip


def told_questions(views: list[tuple[Judged, Maps]], i: int) -> list[tuple[Judged, Maps]]:
    """Of independent labels those that are decided or true."""
    return [
        (judged, maps)
        for judged, maps in views
        if judged.question.index is None or maps.labels[i] or maps.predicted[i]
    ]


def _figure(
    task: Task, question: Question | None, test: Maps, maps: Maps, i: int, grid: Grid, made: Segmented | None, title: str
) -> Picture:  # fmt: skip
    image, classes = test.images[i], task.samples.classes
    assert image is not None
    evidence, truth = test.evidence[i], None if question is None else maps.masks[i]
    if question is not None and question.index is not None:
        evidence, classes = evidence[[question.index]], (question.name,)
    drawing = case_figure(
        image, evidence, classes, grid, mask=made.mask if made else None, truth=truth, title=title
    )
    return Picture(png(drawing, 100), drawing.alt, drawing.caption)


def _shares(test: Maps, i: int, about: dict[str, Any], classes: tuple[str, ...]) -> tuple[Share, ...]:
    sums = about["sums"]
    if sums is None:
        return ()
    logits = test.logits[i]
    chances = sigmoid(logits) if test.multi_label else softmax(logits[None])[0]
    decided = logits > 0 if test.multi_label else np.arange(len(logits)) == test.predicted[i]
    true = test.labels[i] > 0 if test.multi_label else np.arange(len(logits)) == test.labels[i]
    return tuple(
        Share(
            name, sums["for"][k], sums["against"][k], sums["unexplained"][k], float(logits[k]), float(chances[k]),
            bool(decided[k]), bool(true[k]),
        )
        for k, name in enumerate(classes)
    )  # fmt: skip


def score_told(
    segmentation: Segmentation, question: Question, maps: Maps, i: int, classes: tuple[str, ...]
) -> str:
    """What is thresholded, in words; a difference of maps is one that no panel of the figure shows."""
    score = segmentation.threshold.found.score
    if not isinstance(score, ClassScore):
        return score.name
    if question.index is not None:
        return f"the evidence for {question.name}"
    own = f"the evidence for {classes[score.class_of(maps, i)]}"
    if score.kind == "contrast" and maps.healthy is not None:
        return f"{own} minus that for {classes[maps.healthy]}, a difference that no panel shows,"
    if score.kind == "margin":
        return f"{own} minus the largest of the others, a difference that no panel shows,"
    return own


def _why(made: Segmented, segmentation: Segmentation, score: str, label: str = "") -> tuple[str, ...]:
    threshold = segmentation.threshold
    first = f"Threshold {made.threshold:.3g} of {threshold.title}: {why(threshold, label)}."
    if made.reason == HEALTHY:
        return first, f"No mask: the decision is {'absent' if label else 'healthy'}."
    if made.reason:
        return first, f"No mask: {made.reason}; {score} reaches {float(made.score.max()):.3g}."
    parts = f"{len(made.lesions)} part{'s' if len(made.lesions) > 1 else ''}, {int(made.mask.sum())} voxels"
    refined = f"; {int(made.before.sum())} before the refinement by {segmentation.refinement.name}" if (
        made.refined and segmentation.refinement
    ) else ""  # fmt: skip
    return (
        first,
        f"Mask: where {score} is above it; it reaches {float(made.score.max()):.3g}; {parts}{refined}.",
    )


def _truth(test: Maps, i: int, label: str, made: Segmented | None) -> str:
    truth = test.masks[i]
    if truth is None:
        if not test.has_empty_truth[i]:
            return f"Truth: {label}; no mask is known."
        return f"Truth: {label}, nothing to mark."
    if not truth.any():
        return f"Truth: {label}, nothing to mark."
    told = f"Truth: {label}, {int(truth.sum())} voxels"
    if made is None:
        return f"{told}."
    before = f" ({dice(made.before, truth):.2f} before refinement)" if made.refined else ""
    return f"{told}; Dice {dice(made.mask, truth):.2f}{before}."
