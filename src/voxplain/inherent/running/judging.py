"""How good the answers to one question are: calibration, masks by every threshold, and whether confidence predicts both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.evaluate import Asked, Protocol, Result, class_strata, compare, localisation
from voxplain.inherent.evaluate.classification import log_odds, softmax
from voxplain.inherent.evaluate.localisation import BEFORE
from voxplain.inherent.evaluate.promise import promise, promise_told
from voxplain.inherent.evaluate.rows import Row
from voxplain.inherent.evaluate.strata import size_strata
from voxplain.inherent.maps import Bools, Maps
from voxplain.inherent.running.headline import choice_told, threshold_of
from voxplain.inherent.running.questions import Question
from voxplain.inherent.running.task import Task
from voxplain.inherent.running.thresholds import (
    components_of,
    fitted,
    refinement_of,
    score_of,
    segmentation_of,
)
from voxplain.inherent.score_map import ImageIntensity, ScoreMap
from voxplain.inherent.threshold import Threshold, parse_threshold
from voxplain.inherent.uncertainty import (
    Rejection,
    Reliability,
    Temperature,
    calibration,
    errors_told,
    rejection,
    relation,
    reliability,
)

CONFIDENCE, AGREEMENT = "confidence", "agreement of several answers"
AS_TRAINED, SCALED = "as trained", "after temperature scaling"


@dataclass(frozen=True, eq=False)
class Judged:
    """What was measured of one question.

    Attributes:
        question: which.
        result: numbers and rows per image.
        headline: the threshold whose masks were written; None where there are no masks.
        thresholds: all that were scored, the headline first, the oracles last.
        temperature: fitted on the validation part; None where that has no optimum.
        bins: of the reliability diagram, as trained.
        rejected: Dice of the headline as the least sure images are rejected; None without Dice.
        notes: what could not be measured, and why.
    """

    question: Question
    result: Result
    headline: Threshold | None
    thresholds: tuple[Threshold, ...]
    temperature: Temperature | None
    bins: Reliability
    rejected: Rejection | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Goes:
    """How often all test images are gone through, at most: for masks, and for scores of maps."""

    masks: int
    scores: int


def goes(task: Task, question: Question, test: Maps) -> Goes:
    """Of one question, before any threshold is fitted (some cannot be, and are left out)."""
    wanted = [parse_threshold(text) for text in task.settings.evaluate.thresholds]
    title = threshold_of(task, question).title
    if not (test.has_lesion | test.has_empty_truth).any():
        return Goes(0, 0)
    if not test.has_lesion.any():
        return Goes(1 + sum(t.title != title and not t.is_oracle for t in wanted), 0)
    # every threshold for the network and for the image's intensity; the whole image has one
    return Goes(1 + 2 * sum(t.title != title for t in wanted) + 1, 3)


def judge(
    task: Task,
    question: Question,
    test: Maps,
    validation: Maps,
    agrees: NDArray[np.float64] | None = None,
    each: Callable[[int], object] = bool,
) -> Judged:
    """Measure the answers to a question.

    Args:
        test, validation: what the maps say about it, see `Question.of`.
        agrees: (N,) how far several answers about each test image agree, larger where more; None where there is one.
        each: told of test images whose mask, or map, was scored: how many at once.
    """
    temperature, notes = _temperature(validation)
    rows = _calibrated(task, test, temperature)
    scored = replace(asked_of(task), each=each)
    masks, headline, thresholds, more = _masks(task, question, test, validation, scored)
    kept = promise(headline, masks.cases)
    more += [promise_told(kept, test, validation)] if kept is not None and kept.broken else []
    quality, rejected = _headline_dice(masks, headline, test), None
    asked = task.settings.evaluate
    told_apart = {CONFIDENCE: log_odds(test.logits).max(axis=1)} | (
        {} if agrees is None else {AGREEMENT: agrees}
    )
    bootstrap: dict[str, Any] = {"draws": asked.draws, "level": asked.level, "seed": asked.seed}
    right = test.predicted == test.labels
    for name, sure in told_apart.items():
        found = errors_told(sure, right, test.groups, test.ids, **bootstrap)
        if np.isfinite(quality).any():
            found += relation(sure, quality, test.groups, test.ids, **bootstrap)
        rows += [{**row, "stratum": name} for row in found]
    if np.isfinite(quality).any():
        rejected = rejection(told_apart[CONFIDENCE], quality)
    bins = reliability(softmax(test.logits), test.labels)
    told = (f"{question.name}: {note}" if question.name else note for note in (*notes, *more))
    result = _named(Result(rows, []) + masks, question.name)
    return Judged(question, result, headline, thresholds, temperature, bins, rejected, tuple(told))


def _named(result: Result, name: str) -> Result:
    """Every row says which class it is of; "" of exclusive classes."""
    return Result(*([{**row, "class": name} for row in rows] for rows in (result.rows, result.cases)))


def _temperature(validation: Maps) -> tuple[Temperature | None, list[str]]:
    try:
        return Temperature().fit(validation), []
    except InputError as error:
        return None, [f"Calibration as trained only: {error}"]


def _calibrated(task: Task, test: Maps, temperature: Temperature | None) -> list[Row]:
    asked = task.settings.evaluate
    states = {AS_TRAINED: 1.0} | ({SCALED: temperature.value} if temperature else {})
    if temperature is not None:
        temperature.refuse(test)
    return [
        {**row, "stratum": name}
        for name, value in states.items()
        for row in calibration(test, value, draws=asked.draws, level=asked.level, seed=asked.seed)
    ]


def _masks(
    task: Task, question: Question, test: Maps, validation: Maps, asked: Asked
) -> tuple[Result, Threshold | None, tuple[Threshold, ...], list[str]]:
    """Every threshold by every score where there is a truth; else whether healthy images stay empty."""
    notes: list[str] = []
    score = score_of(task.settings.mask, question.healthy)
    headline, why = fitted(threshold_of(task, question), score, validation)
    notes += [f"No masks: {why}"] if headline is None else []
    if task.settings.mask.threshold == "auto" and headline is not None and headline.supervision == "none":
        notes.append(f"Masks are made by {choice_told(task, question)}.")
    if not (test.has_lesion | test.has_empty_truth).any():
        return Result([], []), headline, (), [*notes, "Masks are not scored: no image has a known truth."]
    wanted = [parse_threshold(text) for text in task.settings.evaluate.thresholds]
    has_truth = bool(test.has_lesion.any())
    if not has_truth:
        notes.append(
            "No image of the test part has a mask: only the false mask rate on healthy images is measured."
        )
    chosen, refused = _usable(wanted, headline, score, test, validation, has_truth)
    result = Result([], [])
    if headline is not None:
        strata = strata_of(task, question, test) if has_truth else None
        result += localisation(test, segmentation_of(task.settings.mask, headline), asked, strata)
    if has_truth:
        result += compare(test, validation, _protocol(task, score, chosen), asked)
    else:
        for threshold in chosen:
            result += localisation(test, segmentation_of(task.settings.mask, threshold), asked)
    every = (*([headline] if headline else []), *chosen)
    return result, headline, every, [*notes, *refused]


def _usable(
    wanted: list[Threshold], headline: Threshold | None, score: ScoreMap, test: Maps, validation: Maps, has_truth: bool
) -> tuple[list[Threshold], list[str]]:  # fmt: skip
    """Those that can be fitted and are not the headline again, fitted, the oracles last."""
    chosen, notes = [], []
    for threshold in sorted(wanted, key=lambda t: t.is_oracle):
        if headline is not None and threshold.title == headline.title:
            continue
        if threshold.is_oracle and not has_truth:
            continue
        found, why = fitted(threshold, score, test if threshold.is_oracle else validation)
        if found is None:
            notes.append(f"Left out: {why}")
        else:
            chosen.append(found)
    return chosen, notes


def _protocol(task: Task, score: ScoreMap, chosen: list[Threshold]) -> Protocol:
    mask = task.settings.mask
    return Protocol(
        [score, ImageIntensity()], chosen, mask.healthy, components_of(mask), refinement_of(mask),
        task.settings.evaluate.boxes,
    )  # fmt: skip


def strata_of(task: Task, question: Question, test: Maps) -> dict[str, Bools]:
    """The images that are also looked at by themselves, by name."""
    by_class = class_strata(test, task.samples.classes) if question.index is None else {}
    return {**by_class, **size_strata(test)}


def asked_of(task: Task) -> Asked:
    """How masks and maps are scored."""
    asked = task.settings.evaluate
    return Asked(asked.draws, asked.level, asked.seed, asked.surfaces)


def _headline_dice(masks: Result, headline: Threshold | None, test: Maps) -> NDArray[np.float64]:
    """(N,) Dice of the headline's masks; NaN where the truth is empty or not known."""
    dice = np.full(len(test), np.nan)
    if headline is None:
        return dice
    place = {id: i for i, id in enumerate(test.ids)}
    for row in masks.cases:
        mine = (row["threshold"], row["score"]) == (headline.title, headline.found.score.name)
        if mine and row["mask"] != BEFORE and row["truth voxels"] > 0:
            dice[place[row["id"]]] = row["dice"]
    return dice
