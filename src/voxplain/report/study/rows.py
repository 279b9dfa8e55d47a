"""From a long table of several cases to one metric of the page: the comparison, and the nulls beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from voxplain.metric.comparison import Comparison, gather
from voxplain.report.study.page import MetricResult, Null

_PREFIX = "null_"
# A map that ignores the image is perfectly stable: not beating it says nothing against a map.
_NO_FLOOR_FAMILIES = ("robustness",)
# The gradient knows the network: it is a line to read likeness from, not a map to beat.
_NO_FLOOR_NULLS = ("gradient",)


def metric_result(
    rows: Iterable[Mapping[str, Any]],
    comparison: Comparison,
    *,
    title: str,
    reads: str,
    source: str = "",
    parameters: Mapping[str, object] | None = None,
) -> MetricResult:
    """A metric of the page.

    Args:
        rows: those that the comparison was made of; other metrics' are passed over.
        comparison: of one metric.
    """
    name = comparison.table.metric
    chosen = [r for r in rows if r["metric"] == name]
    family = str(chosen[0]["family"]) if chosen else ""
    nulls = nulls_of(chosen, comparison, family)
    return MetricResult(name, title, family, reads, comparison, source, nulls, parameters or {})


def nulls_of(rows: Iterable[Mapping[str, Any]], comparison: Comparison, family: str) -> tuple[Null, ...]:
    """The nulls of one metric's rows, one figure per case over the targets that the methods are judged by.

    A null's figures go through the same table as a method's, so that both are means over the same targets.
    """
    rows, table = list(rows), comparison.table
    columns = dict.fromkeys(key for r in rows for key in r if key.startswith(_PREFIX))
    own = [r for r in rows if r["method"] in table.methods]
    found = []
    for column in columns:
        beside = [{**r, "method": column, "value": r[column]} for r in own if _is_number(r.get(column))]
        everyone = gather([*own, *beside], table.metric) if beside else None
        if everyone is None or column not in everyone.methods:
            continue
        there = dict(zip(everyone.cases, everyone.values[:, everyone.methods.index(column)], strict=True))
        values = np.array([there.get(case, np.nan) for case in table.cases])
        name = column.removeprefix(_PREFIX)
        floor = family not in _NO_FLOOR_FAMILIES and name not in _NO_FLOOR_NULLS
        if np.isfinite(values).any():
            found.append(Null(name, float(np.nanmean(values)), tuple(values.tolist()), floor))
    return tuple(found)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.floating) and not isinstance(value, bool)
