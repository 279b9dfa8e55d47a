"""`voxplain inherent evaluate`: how good decisions, maps and masks of the test part are, as tables and a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.case.atomic import write_whole
from voxplain.errors import InputError
from voxplain.inherent.evaluate import Result, classification, independent
from voxplain.inherent.evaluate.rows import write_rows
from voxplain.inherent.maps import Maps
from voxplain.inherent.maps_folder import MapsFolder
from voxplain.inherent.running.evaluation_cost import EvaluationCost, evaluation_cost
from voxplain.inherent.running.judging import Judged, goes, judge
from voxplain.inherent.running.places import Places
from voxplain.inherent.running.questions import Question, questions
from voxplain.inherent.running.task import Task
from voxplain.inherent.running.validity import check_not_trained, current_maps
from voxplain.inherent.shown import Shown, shown


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was measured on the test part.

    Attributes:
        result: every number with its interval, and the rows per image.
        judged: by question: one of exclusive classes, one per independent label.
        places: where tables and page are.
        first: what must be known before any number.
    """

    result: Result
    judged: tuple[Judged, ...]
    places: Places
    first: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be known first; what could not be measured, and why."""
        return (*self.first, *(note for judged in self.judged for note in judged.notes))


def cost_of_evaluation(task: Task) -> EvaluationCost:
    """How long `evaluate_inherent` will take, measured on a few of the predicted images.

    Raises:
        InputError: no predictions of the test part.
    """
    return evaluation_cost(task, _maps(task, "test"))


def evaluate_inherent(task: Task, *, progress: bool = True) -> Evaluation:
    """Score what was predicted, and write tables and the page.

    The folder ``evaluation`` gets ``numbers.parquet`` (a number per row, see `rows.COLUMNS`), ``images.parquet``,
    ``reliability.parquet``, ``rejection.parquet``, ``thresholds.json`` and ``report.html``.

    No more than a few maps are held at once, however many images there are.

    Args:
        task: with predictions that are done.
        progress: show a bar on a terminal.

    Raises:
        InputError: no predictions of the validation and test parts, or of other weights, settings or data than now.
    """
    from voxplain.inherent.page import write_report

    test, validation = _maps(task, "test"), _maps(task, "validation")
    asked = task.settings.evaluate
    decisions = independent if task.samples.multi_label else classification
    rows = decisions(test, names=task.samples.classes, draws=asked.draws, level=asked.level, seed=asked.seed)
    asks = questions(task)
    through = [goes(task, q, q.of(test)) for q in asks]
    with shown("masks and maps", progress) as show:
        each = _counted(show, len(test) * sum(g.masks + g.scores for g in through))
        judged = tuple(judge(task, q, q.of(test), q.of(validation), _agreement(task, q), each) for q in asks)
    result = sum((one.result for one in judged), Result(rows, []))
    found = Evaluation(result, judged, Places(task.settings.out), tuple(_first(task, judged)))
    _write(found)
    write_report(task, found, test)
    return found


def _first(task: Task, judged: Sequence[Judged]) -> Iterator[str]:
    from voxplain.inherent.page.honesty import WRITTEN, brightness_told, mask_caption

    for one in judged:
        yield from brightness_told(one)
        caption, of = mask_caption(task, one), f"{one.question.name}: " if one.question.name else ""
        if caption != WRITTEN:
            yield f"{of}{caption}; `voxplain inherent predict` with these settings writes them."


def _counted(show: Shown, total: int) -> Callable[[int], None]:
    done = 0

    def each(count: int) -> None:
        nonlocal done
        done += count
        show("masks and maps of the test part", done, total)

    return each


def _maps(task: Task, part: str) -> Maps:
    indices = task.split.parts().get(part, ())
    if not indices:
        raise InputError(
            f"split: the {part} part is empty, but evaluation needs it; give split.{part} a share, or name other data"
        )
    check_not_trained(task)
    return current_maps(task, part, [task.samples[i] for i in indices])


def _agreement(task: Task, question: Question) -> NDArray[np.float64] | None:
    """(N,) of the test images, minus the mutual information of several answers; None where there is one answer."""
    folder = Places(task.settings.out).maps("test")
    told = MapsFolder.opened(folder)
    spreads = [told.about(i)["spread"] for i in range(len(task.split.test))]
    if any(spread is None for spread in spreads):
        return None
    return -np.array([spread["mutual information"][question.index or 0] for spread in spreads])


def _write(found: Evaluation) -> None:
    folder = found.places.evaluation
    found.result.write(folder / "numbers.parquet")
    if found.result.cases:
        found.result.write_cases(folder / "images.parquet")
    bins, rejected, thresholds = [], [], []
    for one in found.judged:
        name = {"class": one.question.name}
        bins += [{**name, **row} for row in one.bins.rows()]
        rejected += [{**name, **row} for row in (one.rejected.rows() if one.rejected else [])]
        thresholds += [{**name, **threshold.to_dict()} for threshold in one.thresholds]
    write_rows(bins, folder / "reliability.parquet")
    if rejected:
        write_rows(rejected, folder / "rejection.parquet")
    told = json.dumps(thresholds, indent=1, ensure_ascii=False)
    write_whole(folder / "thresholds.json", told.encode())
