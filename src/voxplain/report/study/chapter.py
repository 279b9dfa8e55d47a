"""All that the page shows of one model, drawn and put in order."""

from __future__ import annotations

from dataclasses import dataclass

from voxplain.report.canvas import Drawing
from voxplain.report.study.answer import Answers, answers
from voxplain.report.study.clusters import near_duplicates
from voxplain.report.study.figures import boxes, heat, lines, ranks
from voxplain.report.study.overview import Overview, overview
from voxplain.report.study.page import MetricResult, ModelComparison
from voxplain.report.study.pairs import Pairs, pairs
from voxplain.report.study.work import Cost, Trouble, costs, troubles

KINDS = (("method", "map"), ("metrics", "metric"), ("sums over regions", "regions"))


@dataclass(frozen=True)
class MetricPart:
    """One metric's fold-out.

    Attributes:
        ranks: None where there is no ranking.
        notes: (method, why it is not ranked).
    """

    result: MetricResult
    boxes: Drawing
    ranks: Drawing | None
    pairs: Pairs
    notes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Chapter:
    """One model's part of the page.

    Attributes:
        number: from 1, for addresses within the page.
        several: whether its figures are over more than one case.
        judged: whether any metric gave any method a figure.
    """

    number: int
    model: ModelComparison
    answers: Answers
    overview: Overview
    several: bool
    judged: bool
    metrics: tuple[MetricPart, ...]
    agreement: Drawing | None
    duplicates: tuple[tuple[str, ...], ...]
    randomisation: Drawing | None
    curves: tuple[tuple[str, Drawing], ...]
    troubles: tuple[Trouble, ...]
    costs: tuple[tuple[str, tuple[Cost, ...]], ...]


def chapter(number: int, model: ModelComparison) -> Chapter:
    """Draw and order everything of a model."""
    told = answers(model)
    first = [line.verdict.method for line in told.lines]
    table = overview(model, tuple(dict.fromkeys([*first, *model.methods])))
    agreement = model.agreement if model.agreement and len(model.agreement.names) > 1 else None
    found = [(name, costs(model.tasks, kind)) for name, kind in KINDS]
    return Chapter(
        number=number,
        model=model,
        answers=told,
        overview=table,
        several=any(m.cases > 1 for m in model.metrics),
        judged=any(m.comparison.table.methods for m in model.metrics),
        metrics=tuple(map(_metric, table.metrics)),
        agreement=heat(agreement) if agreement else None,
        duplicates=tuple(near_duplicates(agreement)) if agreement else (),
        randomisation=lines(model.randomisation) if model.randomisation else None,
        curves=tuple((c.title, lines(c)) for c in model.curves),
        troubles=troubles(model.tasks),
        costs=tuple((name, rows) for name, rows in found if rows),
    )


def _metric(result: MetricResult) -> MetricPart:
    comparison = result.comparison
    drawn = None
    if comparison.ranking is not None:
        drawn = ranks(comparison.ranking, comparison.table.ranked, result.title)
    notes = tuple((s.method, s.note) for s in comparison.summaries if s.note)
    return MetricPart(result, boxes(result), drawn, pairs(comparison), notes)
