"""What evaluation will cost, measured on a few of the images that it is about."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from voxplain.inherent.evaluate import localisation, map_quality
from voxplain.inherent.evaluate.localisation import measured, over_cases
from voxplain.inherent.evaluate.pixels import most_bins
from voxplain.inherent.maps import Maps
from voxplain.inherent.maps_file import KEPT
from voxplain.inherent.running.cost import size_told, time_told
from voxplain.inherent.running.judging import asked_of, goes, strata_of
from voxplain.inherent.running.questions import questions
from voxplain.inherent.running.task import Task
from voxplain.inherent.running.thresholds import score_of, segmentation_of
from voxplain.inherent.threshold import Otsu

_TIMED = 3  # images
_DRAWS = 4  # of the bootstrap that are timed


@dataclass(frozen=True)
class EvaluationCost:
    """An estimate.

    Attributes:
        images: that are scored.
        masks: that are made and scored, over all thresholds.
        seconds: of maps, masks, bootstrap and figures; without fitting thresholds.
        held: bytes of maps in memory, at most.
    """

    images: int
    masks: int
    seconds: float
    held: int

    def lines(self) -> list[str]:
        """In words."""
        return [
            f"evaluation: {self.images:,} images, {self.masks:,} masks, about {time_told(self.seconds)}, up to "
            f"{size_told(self.held)} of maps in memory"
        ]


def evaluation_cost(task: Task, test: Maps) -> EvaluationCost:
    """Measure masks, maps and draws of the first question on a few images.

    Args:
        task: what is evaluated.
        test: its maps.
    """
    question = questions(task)[0]
    maps = question.of(test)
    masks = goes(task, question, maps).masks
    seconds = masks * len(maps) * _per_mask(task, maps) + _drawing(task, maps, masks)
    if maps.has_lesion.any():
        seconds += goes(task, question, maps).scores * _scoring(task, maps)
    count = len(questions(task))
    return EvaluationCost(
        len(test),
        masks * len(maps) * count,
        seconds * count + _figures(task, test),
        min(2 * KEPT, 2 * len(test) * _bytes(test)),
    )


def _few(maps: Maps) -> Maps:
    """Some images, those with a truth first."""
    return maps.take(np.argsort(~maps.has_lesion, kind="stable")[:_TIMED])


def _per_mask(task: Task, maps: Maps) -> float:
    few, asked = _few(maps), replace(asked_of(task), draws=1)
    segmentation = segmentation_of(
        task.settings.mask, Otsu().fit(None, score_of(task.settings.mask, maps.healthy))
    )
    if not (few.has_lesion | few.has_empty_truth).any():
        return 0.0
    return _seconds(lambda: localisation(few, segmentation, asked)) / len(few)


def _drawing(task: Task, maps: Maps, masks: int) -> float:
    """The bootstrap of all masks: of as many images as there are, all of them like the few."""
    few, asked = _few(maps), replace(asked_of(task), draws=_DRAWS, surfaces=False)
    segmentation = segmentation_of(
        task.settings.mask, Otsu().fit(None, score_of(task.settings.mask, maps.healthy))
    )
    pairs = [next(iter(measured(few, i, segmentation, asked).values())) for i in range(len(few))]
    every, which = [pairs[i % len(pairs)] for i in range(len(maps))], np.ones(len(maps), dtype=np.bool_)
    took = _seconds(lambda: over_cases(every, list(maps.groups), which, "all", asked)) / (_DRAWS + 1)
    strata = len(strata_of(task, questions(task)[0], maps)) if maps.has_lesion.any() else 0
    return took * task.settings.evaluate.draws * (masks + strata)


def _scoring(task: Task, maps: Maps) -> float:
    """PxAP and boxes of one score: once through the images, then the bootstrap of histograms of all patients."""
    few, asked = maps.take(np.flatnonzero(maps.has_lesion)[:_TIMED]), replace(asked_of(task), draws=1)
    score = score_of(task.settings.mask, maps.healthy)
    through = _seconds(lambda: map_quality(few, score, asked, boxes=task.settings.evaluate.boxes)) / len(few)
    patients = len(set(maps.groups))
    table, often = np.zeros((patients, most_bins(patients)), np.int64), np.ones(patients, np.int64)
    draw = 4 * _seconds(lambda: often @ table)  # inside and outside, with and without healthy images
    return through * len(maps) + draw * task.settings.evaluate.draws


def _figures(task: Task, test: Maps) -> float:
    from voxplain.inherent.page.case_figure import case_figure
    from voxplain.inherent.running.case_files import Grid
    from voxplain.report import png

    count, image = min(task.settings.evaluate.cases, len(test)), test.images[0]
    if not count or image is None:
        return 0.0
    grid = Grid(image.shape[1:], None, None)
    classes, evidence = task.samples.classes, test.evidence[0]
    return count * _seconds(
        lambda: png(case_figure(image, evidence, classes, grid, mask=None, truth=None, title="one"), 100)
    )


def _seconds(work: Callable[[], object]) -> float:
    """Of the second time: the first one imports and fills caches."""
    work()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _bytes(maps: Maps) -> int:
    """Of one case: its evidence, image and mask."""
    arrays = (maps.evidence[0], maps.images[0], maps.masks[0])
    return sum(a.nbytes for a in arrays if a is not None)
