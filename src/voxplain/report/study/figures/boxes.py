"""A metric's figures over cases: a box per method, dots where there are few, and the nulls below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxplain.report.canvas import Drawing
from voxplain.report.study.figures.compound import Point, box, segments, shapes
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
from voxplain.report.study.words import better, null_label, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from voxplain.report.study.page import MetricResult, Numbers

FEWEST = 5  # cases from which on a box says more than dots
_ROW, _WIDTH, _FOOT, _HEAD = 0.2, 4.9, 0.55, 0.1
_DECADES = 1000.0  # largest over smallest, above which equal steps would hide most of the figures


@dataclass(frozen=True)
class _Lane:
    """One row: a method's figures, or a null's."""

    name: str
    values: Numbers
    null: bool


def boxes(result: MetricResult) -> Drawing:
    """The best method on top, where a direction is better."""
    lanes = _lanes(result)
    names = [lane.name for lane in lanes]
    left, height = room(names), max(len(lanes), 1) * _ROW
    figure = sheet(left + _WIDTH + 0.25, height + _FOOT + _HEAD)
    axes = panel(figure, left, _FOOT, _WIDTH, height)
    axes.set_ylim(max(len(lanes), 1) - 0.5, -0.5)
    axes.set_yticks([])
    axes.grid(axis="x", color=LINE, lw=0.5)
    axes.set_axisbelow(True)
    _draw(axes, lanes)
    _scale(axes, np.concatenate([lane.values for lane in lanes]) if lanes else np.zeros(0))
    for null in (n for n in result.nulls if n.floor and np.isfinite(n.mean)):
        axes.axvline(null.mean, color=FAINT, lw=0.9, ls=(0, (2, 2)), gid=f"null-{null.name}")
    for row, lane in enumerate(lanes):
        write(
            axes,
            -0.012,
            row,
            lane.name,
            ha="right",
            va="center",
            transform=axes.get_yaxis_transform(),
            style="italic" if lane.null else "normal",
        )
    axes.set_xlabel(
        flat(f"{result.title} ({better(result.better)})"),
        fontsize=TEXT,
        color=INK,
        labelpad=4,
        parse_math=False,
    )
    return Drawing(figure, _caption(result, lanes), _alt(result, lanes))


def _lanes(result: MetricResult) -> list[_Lane]:
    table = result.comparison.table
    made = [_Lane(short(m), _known(table.values[:, j]), False) for j, m in enumerate(table.methods)]
    sign = -1.0 if result.better != "lower" else 1.0
    made.sort(key=lambda lane: sign * lane.values.mean() if len(lane.values) else np.inf)
    for null in result.nulls:
        values = _known(np.array(null.values or (null.mean,), dtype=np.float64))
        if len(values):
            made.append(_Lane(null_label(null.name, floor=null.floor), values, True))
    return made


def _draw(axes: Axes, lanes: list[_Lane]) -> None:
    for null, fill, edge in ((False, "#cfe3f1", COLOURS[0]), (True, "#e1e3e6", FAINT)):
        rows = [(n, lane.values) for n, lane in enumerate(lanes) if lane.null == null]
        many = [(n, np.percentile(v, [0, 25, 50, 75, 100])) for n, v in rows if len(v) >= FEWEST]
        few = [(x, float(n)) for n, v in rows if len(v) < FEWEST for x in v]
        kind = "nulls" if null else "methods"
        whiskers = [[(q[a], float(n)), (q[b], float(n))] for n, q in many for a, b in ((0, 1), (3, 4))]
        segments(axes, whiskers, f"whiskers-{kind}", ec=edge, lw=1.0)
        shapes(
            axes,
            [box(q[1], q[3], n - 0.3, n + 0.3) for n, q in many],
            f"boxes-{kind}",
            fc=fill,
            ec=edge,
            lw=0.9,
        )
        middles: list[list[Point]] = [[(q[2], n - 0.3), (q[2], n + 0.3)] for n, q in many]
        segments(axes, middles, f"medians-{kind}", ec=INK, lw=1.6)
        if few:
            x, y = zip(*few, strict=True)
            axes.plot(x, y, "D" if null else "o", ms=4, mfc=fill, mec=edge, mew=1.2, gid=f"dots-{kind}")


def _scale(axes: Axes, values: Numbers) -> None:
    """Room around the figures, and equal ratios instead of equal steps where they span decades."""
    if not len(values):
        axes.set_xticks([])
        return
    low, high = float(values.min()), float(values.max())
    if low > 0 and high / low > _DECADES:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.5, high * 1.5)
        return
    size = np.abs(values[values != 0])
    if len(size) and size.max() / np.median(size) > _DECADES:
        axes.set_xscale("symlog", linthresh=float(np.median(size)))
        axes.margins(x=0.03)
        axes.autoscale_view(scaley=False)
        return
    margin = 0.04 * (high - low) or 0.05 * max(abs(high), 1.0)
    axes.set_xlim(low - margin, high + margin)
    axes.ticklabel_format(axis="x", useOffset=False)


def _caption(result: MetricResult, lanes: list[_Lane]) -> str:
    parts = [f"One row per method, {_order(result.better)}; nulls and references in grey below."]
    if any(len(lane.values) >= FEWEST for lane in lanes):
        parts.append(
            "Box: the middle half of the cases; line in it: median; whiskers: lowest and highest case."
        )
    if any(len(lane.values) < FEWEST for lane in lanes):
        parts.append(f"Dots: one per case, where there are fewer than {FEWEST}.")
    if any(n.floor for n in result.nulls):
        parts.append("Dashed lines: the nulls' means.")
    return " ".join(parts)


def _order(direction: str) -> str:
    return "the best mean on top" if direction != "neither" else "the largest mean on top"


def _alt(result: MetricResult, lanes: list[_Lane]) -> str:
    told = [f"{lane.name} {number(float(lane.values.mean()))}" for lane in lanes if len(lane.values)]
    shown = told if len(told) <= 16 else [*told[:6], "…", *told[-6:]]
    return f"{result.title} per method, means over cases from top to bottom: {', '.join(shown) or 'none'}."


def _known(values: Numbers) -> Numbers:
    return values[np.isfinite(values)]
