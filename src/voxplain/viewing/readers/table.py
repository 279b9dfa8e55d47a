"""Agreement as a table for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from voxplain.inherent.bootstrap import Interval
from voxplain.report.study.words import count
from voxplain.viewing.readers.agreement import Agreement


def told(found: Sequence[Agreement]) -> str:
    """All of it in lines, with what the numbers are."""
    parts = []
    for one in found:
        sizes = ((len(one.readers), "reader"), (one.cases, "case"), (one.units, "unit"))
        title = f"{one.question}: " + ", ".join(count(n, what) for n, what in sizes)
        lines = [
            [
                "Krippendorff's alpha (ordinal)",
                f"{count(one.shared, 'unit')} by two or more",
                _interval(one.alpha),
            ],
            ["ICC(2,1)", f"{count(one.whole, 'unit')} by all", _interval(one.icc)],
            *(
                [
                    f"weighted kappa: {p.first}, {p.second}",
                    f"{count(p.units, 'unit')} by both",
                    _interval(p.kappa),
                ]
                for p in one.pairs
            ),
        ]
        means = [
            [m.method, f"{count(m.ratings, 'rating')} of {count(m.cases, 'case')}", _interval(m.mean)]
            for m in one.methods
        ]
        parts.append("\n".join([title, *_columns(lines), "mean, from 1 to 5", *_columns(means)]))
    last = (
        "A unit is a map of a case. Intervals: 95 %, bootstrap over cases; none for fewer than three cases."
    )
    return "\n\n".join([*parts, last])


def _columns(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[c]) for row in rows) for c in range(3)] if rows else []
    return [
        "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _interval(found: Interval) -> str:
    if math.isnan(found.value):
        return "not defined"
    ends = "" if math.isnan(found.low) else f" [{found.low:.2f}, {found.high:.2f}]"
    return f"{found.value:.2f}{ends}".replace("-", "−")
