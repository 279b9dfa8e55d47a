"""`voxplain inherent evaluate`: how good decisions, maps and masks of the test part are, as tables and a page."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voxplain.case.atomic import write_whole
from voxplain.errors import InputError
from voxplain.inherent.evaluate import (
    Asked,
    Protocol,
    Result,
    class_strata,
    classification,
    compare,
    localisation,
)
from voxplain.inherent.evaluate.classification import softmax
from voxplain.inherent.evaluate.localisation import BEFORE
from voxplain.inherent.evaluate.promise import promise, promise_told
from voxplain.inherent.evaluate.rows import Row, write_rows
from voxplain.inherent.evaluate.strata import size_strata
from voxplain.inherent.maps import Bools, Maps
from voxplain.inherent.maps_file import INDEX, read_maps
from voxplain.inherent.running.places import Places
from voxplain.inherent.running.task import Task
from voxplain.inherent.running.thresholds import (
    components_of,
    fitted,
    refinement_of,
    score_of,
    segmentation_of,
    threshold_of,
)
from voxplain.inherent.score_map import ImageIntensity, ScoreMap
from voxplain.inherent.threshold import Threshold, parse_threshold
from voxplain.inherent.uncertainty import (
    Rejection,
    Reliability,
    Temperature,
    calibration,
    rejection,
    relation,
    reliability,
)

AS_TRAINED, SCALED = "as trained", "after temperature scaling"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured on the test part.

    Attributes:
        result: every number with its interval, and the rows per image.
        headline: the threshold whose masks were written; None where there are no masks.
        thresholds: all that were scored, the headline first, the oracles last.
        temperature: fitted on the validation part; None where that has no optimum.
        bins: of the reliability diagram, as trained.
        rejected: Dice of the headline as the least sure images are rejected; None without Dice.
        notes: what could not be measured, and why.
        places: where tables and page are.
    """

    result: Result
    headline: Threshold | None
    thresholds: tuple[Threshold, ...]
    temperature: Temperature | None
    bins: Reliability
    rejected: Rejection | None
    places: Places
    notes: tuple[str, ...] = field(default=())


def evaluate_inherent(task: Task) -> Evaluation:
    """Score what was predicted, and write tables and the page.

    The folder ``evaluation`` gets ``numbers.parquet`` (a number per row, see `rows.COLUMNS`), ``images.parquet``,
    ``reliability.parquet``, ``rejection.parquet``, ``thresholds.json`` and ``report.html``.

    Raises:
        InputError: several labels per image, or no predictions of the validation and test parts.
    """
    from voxplain.inherent.page import write_report

    test, validation = _maps(task, "test"), _maps(task, "validation")
    places, names, asked = Places(task.settings.out), task.samples.classes, task.settings.evaluate
    rows = classification(test, names=names, draws=asked.draws, level=asked.level, seed=asked.seed)
    temperature, notes = _temperature(validation)
    rows += _calibrated(task, test, temperature)
    masks, headline, thresholds, more = _masks(task, test, validation)
    kept = promise(headline, masks.cases)
    more += [promise_told(kept, test, validation)] if kept is not None and kept.broken else []
    quality = _headline_dice(masks, headline, test)
    rejected = None
    if np.isfinite(quality).any():
        confidence = softmax(test.logits).max(axis=1)
        rejected = rejection(confidence, quality)
        rows += relation(
            confidence, quality, test.groups, test.ids, draws=asked.draws, level=asked.level, seed=asked.seed
        )
    bins = reliability(softmax(test.logits), test.labels)
    found = Evaluation(
        Result(rows, []) + masks, headline, thresholds, temperature, bins, rejected, places, (*notes, *more)
    )
    _write(found)
    write_report(task, found, test)
    return found


def _maps(task: Task, part: str) -> Maps:
    if task.samples.multi_label:
        raise InputError(
            "data.multi_label: found independent labels, but evaluation knows one class per image; predict tells the logits"
        )
    folder = Places(task.settings.out).maps(part)
    if not (folder / INDEX).exists():
        raise InputError(
            f"{folder}: no maps there yet; run `voxplain inherent predict` with these settings first"
        )
    return read_maps(folder)


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
    task: Task, test: Maps, validation: Maps
) -> tuple[Result, Threshold | None, tuple[Threshold, ...], list[str]]:
    """Every threshold by every score where there is a truth; else whether healthy images stay empty."""
    asked, notes = _asked(task), []
    score = score_of(task.settings.mask, task.healthy)
    headline, why = fitted(threshold_of(task.settings.mask, task.healthy), score, validation)
    notes += [f"No masks: {why}"] if headline is None else []
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
        strata = _strata(task, test) if has_truth else None
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


def _strata(task: Task, test: Maps) -> dict[str, Bools]:
    return {**class_strata(test, task.samples.classes), **size_strata(test)}


def _asked(task: Task) -> Asked:
    asked = task.settings.evaluate
    return Asked(asked.draws, asked.level, asked.seed, asked.surfaces)


def _headline_dice(masks: Result, headline: Threshold | None, test: Maps) -> Any:
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


def _write(found: Evaluation) -> None:
    folder = found.places.evaluation
    found.result.write(folder / "numbers.parquet")
    if found.result.cases:
        found.result.write_cases(folder / "images.parquet")
    write_rows(found.bins.rows(), folder / "reliability.parquet")
    if found.rejected is not None:
        write_rows(found.rejected.rows(), folder / "rejection.parquet")
    told = [threshold.to_dict() for threshold in found.thresholds]
    write_whole(folder / "thresholds.json", json.dumps(told, indent=1, ensure_ascii=False).encode())
