"""From a long table, one number per case and method: what statistics over cases may treat as independent."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError, suggest

Row = Mapping[str, Any]
Cell = tuple[str, str, str]  # case, target, method
Numbers = NDArray[np.float64]
KEPT = ("value", "tells")  # columns that every row has, empty or not


@dataclass(frozen=True, eq=False)
class Table:
    """One metric's figures.

    Attributes:
        better: ``higher``, ``lower`` or ``neither``.
        values: (N cases, M methods), each averaged over targets of the case: of ranked methods over those that all ranked
            ones with figures there share, of others over their own; NaN where a method has no figure.
        ranked: names of the methods that have figures on at least half of the cells (a case and a target) that any has.
        cells: (case, target, method) -> the mean of its finite figures.
    """

    metric: str
    better: str
    cases: tuple[str, ...]
    methods: tuple[str, ...]
    values: Numbers
    ranked: tuple[str, ...]
    cells: Mapping[Cell, float]

    @property
    def complete(self) -> Numbers:
        """The cases (n, R) in which every ranked method has a figure."""
        columns = self.values[:, [self.methods.index(m) for m in self.ranked]]
        return columns[np.isfinite(columns).all(1)]

    def differences(self, first: str, second: str) -> Numbers:
        """First − second (n,), one for each case in which both have a target, averaged over all such targets."""
        found: dict[str, list[float]] = defaultdict(list)
        for (case, target, method), value in self.cells.items():
            if method == first and (case, target, second) in self.cells:
                found[case].append(value - self.cells[case, target, second])
        return np.array([np.mean(found[c]) for c in self.cases if c in found], dtype=np.float64)

    def note(self, method: str) -> str:
        """Why a method is not ranked; empty where it is."""
        if method in self.ranked:
            return ""
        every = len({(c, t) for c, t, _ in self.cells})
        own = sum(m == method for _, _, m in self.cells)
        return (
            f"not ranked: figures on {own} of {every} targets; its mean is over its own, perhaps easier ones"
        )


def gather(rows: Iterable[Row], metric: str) -> Table:
    """Average a metric's rows within each case.

    Targets of one case share an image and a network, so they are not independent: a case counts once. So that no
    method is judged by easier targets, only those count for which every ranked method with figures in the case has one;
    methods with few figures are not ranked, and do not take targets away from the rest. Methods without any finite figure
    are left out. Repetitions, such as other seeds, are averaged first.

    Args:
        rows: as `voxplain.metric.Evaluation.rows` gives them, of one or several cases, of one model.

    Raises:
        InputError: unknown metric, several models or settings, different images under one name, a metric whose
            direction changes.
    """
    rows = measured(rows)
    chosen = of_metric(rows, metric)
    cells = _cells(chosen)
    with_figures = {method for _, _, method in cells}
    methods = [m for m in _ordered(r["method"] for r in chosen) if m in with_figures]
    cases = _ordered(r["case"] for r in chosen)
    ranked = _ranked(cells, methods)
    values = np.array([_means(cells, case, methods, ranked) for case in cases], dtype=np.float64)
    return Table(
        metric,
        chosen[0]["better"],
        tuple(cases),
        tuple(methods),
        values.reshape(len(cases), len(methods)),
        tuple(ranked),
        cells,
    )


def _ranked(cells: Mapping[Cell, float], methods: Sequence[str]) -> list[str]:
    """Methods with figures on at least half of the cells; where they share no target in any case, the odd ones go."""
    own = {m: {(c, t) for c, t, other in cells if other == m} for m in methods}
    every = set().union(*own.values()) if own else set()
    ranked = [m for m in methods if 2 * len(own[m]) >= len(every)]
    while len(ranked) > 2 and not set.intersection(*(own[m] for m in ranked)) and _clash(own, ranked):
        company = {m: sum(len(own[m] & own[o]) for o in ranked if o != m) for m in ranked}
        ranked.remove(min(ranked, key=lambda m: company[m]))
    return ranked


def _clash(own: Mapping[str, set[tuple[str, str]]], methods: Sequence[str]) -> bool:
    """Whether in every case the methods that have figures there have no target in common."""
    for case in {c for cells in own.values() for c, _ in cells}:
        here = [found for m in methods if (found := {t for c, t in own[m] if c == case})]
        if here and set.intersection(*here):
            return False
    return True


def _means(
    cells: Mapping[Cell, float], case: str, methods: Sequence[str], ranked: Sequence[str]
) -> list[float]:
    """Of each method, over the case's targets that it is judged by."""
    here: dict[str, dict[str, float]] = {m: {} for m in methods}
    for (c, target, method), value in cells.items():
        if c == case:
            here[method][target] = value
    own = [set(here[m]) for m in ranked if here[m]]
    shared = set.intersection(*own) if own else set()
    judged = {m: [v for t, v in here[m].items() if m not in ranked or t in shared] for m in methods}
    return [float(np.mean(judged[m])) if judged[m] else math.nan for m in methods]


def measured(rows: Iterable[Row]) -> list[Row]:
    """Rows as an evaluation gives them, also where a table's empty cells came back as None.

    >>> measured([{"value": None, "null_zero": None, "tells": True}])
    [{'value': nan, 'tells': True}]
    """
    return [
        {
            k: math.nan if k == "value" and v is None else v
            for k, v in row.items()
            if v is not None or k in KEPT
        }
        for row in rows
    ]


def of_metric(rows: Sequence[Row], metric: str) -> list[Row]:
    """The rows of one metric, all of one model.

    Raises:
        InputError: see `gather`.
    """
    chosen = [r for r in rows if r["metric"] == metric]
    if not chosen:
        raise InputError(
            f"metric {metric!r}: not in the table; {suggest(metric, {r['metric'] for r in rows})}"
        )
    models = _ordered(r.get("model") for r in chosen)
    if len(models) > 1:
        raise InputError(
            f"metric {metric!r}: the table holds models {', '.join(map(repr, models))}; compare methods on one at a time"
        )
    for column, what in (("parameters", "settings"), ("network", "networks of one name")):
        if len({r[column] for r in chosen if column in r}) > 1:
            raise InputError(
                f"metric {metric!r}: the table holds several {what}; compare methods on one at a time"
            )
    for case in _ordered(r["case"] for r in chosen):
        images = {r["image"] for r in chosen if r["case"] == case and "image" in r}
        if len(images) > 1:
            raise InputError(
                f"case {case!r}: the table holds {len(images)} different images of that name; give each an id of its own"
            )
    if len({r["better"] for r in chosen}) > 1:
        raise InputError(f"metric {metric!r}: the table calls both higher and lower better")
    return chosen


def by_case(pairs: Iterable[tuple[str, float]]) -> Numbers:
    """The mean of finite numbers of each case, in order of appearance.

    >>> by_case([("a", 1.0), ("a", 3.0), ("b", 5.0), ("b", float("nan"))])
    array([2., 5.])
    """
    found: dict[str, list[float]] = defaultdict(list)
    for case, value in pairs:
        if math.isfinite(value):
            found[case].append(value)
    return np.array([np.mean(v) for v in found.values()], dtype=np.float64)


def _cells(rows: Sequence[Row]) -> dict[Cell, float]:
    """(case, target, method) -> the mean of finite figures."""
    found: dict[Cell, list[float]] = defaultdict(list)
    for row in rows:
        if math.isfinite(row["value"]):
            found[row["case"], row["target"], row["method"]].append(float(row["value"]))
    return {key: float(np.mean(values)) for key, values in found.items()}


def _ordered(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))
