"""How groups of cases differ: the surest entries with their intervals."""

from __future__ import annotations

import numpy as np

from voxplain.report.canvas import Drawing
from voxplain.report.cohort.shown.compared import Compared
from voxplain.report.cohort.shown.words import listed
from voxplain.report.study.figures.compound import Point, segments
from voxplain.report.study.figures.sheet import (
    COLOURS,
    FAINT,
    INK,
    LINE,
    TEXT,
    flat,
    panel,
    room,
    sheet,
    short,
    write,
)
from voxplain.report.study.words import chance, number

_ROW, _WIDTH, _FOOT, _HEAD = 0.22, 3.6, 0.55, 0.3


def differences(
    rows: tuple[Compared, ...], statistic: str, column: str, by: str, level: float
) -> Drawing | None:
    """The surest on top; none where nothing was compared."""
    if not rows:
        return None
    names = [short(f"{r.target} ← {r.region}", 44) for r in rows]
    labels = [f"{r.first} → {r.second}, {by} {chance(r.corrected)}" for r in rows]
    left, height = room(names) + 0.05, len(rows) * _ROW
    figure = sheet(left + _WIDTH + 0.15 + room(labels), height + _FOOT + _HEAD)
    axes = panel(figure, left, _FOOT, _WIDTH, height)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.grid(axis="x", color=LINE, lw=0.5)
    axes.set_axisbelow(True)
    axes.axvline(0, color=FAINT, lw=1.0)
    for found, colour, fill in ((True, COLOURS[1], COLOURS[1]), (False, FAINT, "#f4f5f7")):
        own = [(n, r) for n, r in enumerate(rows) if r.called == found and np.isfinite(r.difference)]
        bars: list[list[Point]] = [
            [(r.low, float(n)), (r.high, float(n))] for n, r in own if np.isfinite(r.low)
        ]
        kind = "found" if found else "rest"
        segments(axes, bars, f"intervals-{kind}", ec=colour, lw=1.5, clip_on=False)
        if own:
            axes.plot([r.difference for _, r in own], [n for n, _ in own], "o", ms=5.5, mfc=fill, mec=colour, mew=1.3,
                      ls="", gid=f"differences-{kind}", clip_on=False)  # fmt: skip
    for row, (name, label) in enumerate(zip(names, labels, strict=True)):
        where = axes.get_yaxis_transform()
        write(axes, -0.02, row, name, ha="right", va="center", transform=where)
        write(axes, 1.03, row, label, ha="left", va="center", transform=where, fontsize=8)
    write(axes, 0, 1 + 0.1 / height, "target ← region", transform=axes.transAxes, ha="right", va="bottom", color=FAINT,
          style="italic", fontsize=8)  # fmt: skip
    axes.set_xlabel(
        flat(f"difference in {statistic}"), fontsize=TEXT, color=INK, labelpad=3, parse_math=False
    )
    found_any = any(r.called for r in rows)
    intervals = ", with 95 % intervals over cases" if any(np.isfinite(r.low) for r in rows) else ""
    caption = f"The {len(rows)} surest entries by {column}; second group less first{intervals}. " + (
        f"Orange, filled: {by} ≤ {level:g}."
        if found_any
        else f"None survives the correction ({by} ≤ {level:g}): all are hollow."
    )
    told = [
        f"{r.target} from {r.region} {number(r.difference, 2)} ({by} {chance(r.corrected)})" for r in rows
    ]
    return Drawing(figure, caption, f"Differences by {column}: {listed(told, 8)}.")
