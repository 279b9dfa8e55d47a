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
Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """One metric's figures.

    Attributes:
        better: ``higher``, ``lower`` or ``neither``.
        values: (N cases, M methods), each averaged over the case's targets; NaN where a method has no figure.
    """

    metric: str
    better: str
    cases: tuple[str, ...]
    methods: tuple[str, ...]
    values: Numbers

    @property
    def complete(self) -> Numbers:
        """The cases (n, M) in which every method has a figure."""
        return self.values[np.isfinite(self.values).all(1)]


def gather(rows: Iterable[Row], metric: str) -> Table:
    """Average a metric's rows within each case.

    Targets of one case share an image and a network, so they are not independent: a case counts once. So that no
    method is judged by easier targets, only those count for which every method that has figures at all has one.
    Methods without any finite figure are left out. Repetitions, such as other seeds, are averaged first.

    Args:
        rows: as `voxplain.metric.Evaluation.rows` gives them, of one or several cases, of one model.

    Raises:
        InputError: unknown metric, several models or settings, different images under one name, a metric whose
            direction changes.
    """
    rows = list(rows)
    chosen = of_metric(rows, metric)
    better = chosen[0]["better"]
    cells = _cells(chosen)
    methods = [m for m in _ordered(r["method"] for r in chosen) if any(key[2] == m for key in cells)]
    cases = _ordered(r["case"] for r in chosen)
    values = np.full((len(cases), len(methods)), np.nan)
    for i, case in enumerate(cases):
        here = {(t, m): v for (c, t, m), v in cells.items() if c == case}
        there = [m for m in methods if any(key[1] == m for key in here)]
        shared = [t for t in _ordered(t for t, _ in here) if all((t, m) in here for m in there)]
        for j, method in enumerate(methods):
            if method in there and shared:
                values[i, j] = np.mean([here[t, method] for t in shared])
    return Table(metric, better, tuple(cases), tuple(methods), values)


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


def _cells(rows: Sequence[Row]) -> dict[tuple[str, str, str], float]:
    """(case, target, method) -> the mean of finite figures."""
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in rows:
        if math.isfinite(row["value"]):
            found[row["case"], row["target"], row["method"]].append(float(row["value"]))
    return {key: float(np.mean(values)) for key, values in found.items()}


def _ordered(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))
