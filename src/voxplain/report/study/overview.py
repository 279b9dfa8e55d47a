"""The large table: methods × metrics, means with intervals, ranks, and a word where a null is as good."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from voxplain.metric.comparison.compare import t_interval
from voxplain.report.study.marks import Mark, mark
from voxplain.report.study.page import MetricResult, ModelComparison, Null
from voxplain.report.study.words import interval, null_label, number

# What verdicts rest on comes first, what only describes last.
_FIRST = ("faithfulness", "randomisation", "robustness", "axiom", "localisation", "complexity", "agreement")


@dataclass(frozen=True)
class Cell:
    """A mean over cases, as text; empty where there is none."""

    value: str
    interval: str = ""
    rank: str = ""
    mark: Mark | None = None


@dataclass(frozen=True)
class Overview:
    """The table.

    Attributes:
        metrics: columns, those of one family together.
        families: (family, number of columns), in order.
        methods: rows: a method with a cell per metric.
        nulls: rows at the bottom.
    """

    metrics: tuple[MetricResult, ...]
    families: tuple[tuple[str, int], ...]
    methods: tuple[tuple[str, tuple[Cell, ...]], ...]
    nulls: tuple[tuple[str, tuple[Cell, ...]], ...]


def overview(model: ModelComparison, order: tuple[str, ...]) -> Overview:
    """The table of a model, its methods in a given order."""
    places = list(dict.fromkeys([*_FIRST, *(m.family for m in model.metrics)]))
    metrics = tuple(sorted(model.metrics, key=lambda m: places.index(m.family)))
    families = tuple((family, len(list(group))) for family, group in groupby(m.family for m in metrics))
    methods = tuple((name, tuple(_cell(m, name) for m in metrics)) for name in order)
    every = [null for m in metrics for null in m.nulls]
    nulls = tuple(
        (
            null_label(name, floor=any(n.floor for n in every if n.name == name)),
            tuple(_null_cell(m, name) for m in metrics),
        )
        for name in dict.fromkeys(null.name for null in every)
    )
    return Overview(metrics, families, methods, nulls)


def _cell(result: MetricResult, method: str) -> Cell:
    found = next((s for s in result.comparison.summaries if s.method == method), None)
    if found is None or not found.cases:
        return Cell("")
    rank = number(found.rank, 2) if result.ranked and np.isfinite(found.rank) else ""
    return Cell(number(found.mean), interval(found.low, found.high), rank, mark(result, method))


def _null_cell(result: MetricResult, name: str) -> Cell:
    found: Null | None = next((n for n in result.nulls if n.name == name), None)
    if found is None or not np.isfinite(found.mean):
        return Cell("")
    values = np.array(found.values, dtype=np.float64)
    values = values[np.isfinite(values)]
    return Cell(number(found.mean), interval(*t_interval(values)) if len(values) > 1 else "")
