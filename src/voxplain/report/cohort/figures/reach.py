"""How far targets look: shares summed outwards from the target's own border."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxplain.aggregate.cohort import RadiusCurves
from voxplain.report.canvas import Drawing
from voxplain.report.cohort.page import Lens
from voxplain.report.cohort.shown.words import listed, share
from voxplain.report.study.figures.compound import Point, segments, shapes
from voxplain.report.study.figures.sheet import (
    COLOURS,
    FAINT,
    INK,
    LINE,
    TEXT,
    panel,
    room,
    sheet,
    short,
    write,
)
from voxplain.report.study.words import count, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FEWEST = 5  # cases from which on quartiles say more than curves
_WIDTH, _HEIGHT, _LEFT, _FOOT, _HEAD = 2.7, 1.76, 0.62, 0.5, 0.1
_ROW, _LONG = 0.19, 3.6


def reach(lens: Lens, t: int) -> Drawing | None:
    """A target's curve; none where it has none."""
    found = lens.radius
    if found is None or not found.n[t]:
        return None
    figure = sheet(_LEFT + _WIDTH + 0.2, _HEIGHT + _FOOT + _HEAD)
    axes = panel(figure, _LEFT, _FOOT, _WIDTH, _HEIGHT)
    axes.grid(axis="y", color=LINE, lw=0.5)
    axes.set_axisbelow(True)
    x = found.edges
    if found.n[t] >= FEWEST:
        band = [*zip(x, found.q1[t], strict=True), *reversed(list(zip(x, found.q3[t], strict=True)))]
        shapes(
            axes,
            [[(float(a), float(b)) for a, b in band]],
            "quartiles",
            fc="#a9cde6",
            ec="none",
            lw=0,
            clip_on=False,
        )
    else:
        for k, curve in enumerate(c for c in found.curves[:, t] if not np.isnan(c[0])):
            axes.plot(x, curve, color=COLOURS[0], lw=0.7, gid=f"case-{k}", clip_on=False)
    axes.plot(x, found.median[t], color=COLOURS[0], lw=2.0, marker=".", gid="median", clip_on=False)
    half = float(found.radius_quartiles[1][t])
    segments(axes, [[(half, 0.0), (half, found.half)], [(0.0, found.half), (half, found.half)]], "half", ec=FAINT, lw=0.9,
             ls=(0, (2, 2)), clip_on=False)  # fmt: skip
    axes.set_ylim(0, 1.02)
    axes.set_xlim(0, float(x[-1]))
    axes.set_yticks([0, 0.5, 1], labels=["0", "50 %", "100 %"])
    _ticks(axes, lens, found)
    axes.set_xlabel(_label(lens), fontsize=TEXT, color=INK, labelpad=3)
    return Drawing(figure, "", _alt(found, t, lens))


def radii(lens: Lens) -> Drawing | None:
    """All targets' radii of half the attribution, the farthest on top."""
    found = lens.radius
    if found is None or not (found.n > 0).any():
        return None
    q1, middle, q3 = found.radius_quartiles
    order = [int(t) for t in np.argsort(-np.nan_to_num(middle, nan=-1.0), kind="stable") if found.n[t]]
    names = [short(found.targets[t]) for t in order]
    left, height = room(names) + 0.05, len(order) * _ROW
    figure = sheet(left + _LONG + 0.25, height + _FOOT + _HEAD)
    axes = panel(figure, left, _FOOT, _LONG, height)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_yticks([])
    axes.grid(axis="x", color=LINE, lw=0.5)
    axes.set_axisbelow(True)
    lines: list[list[Point]] = [
        [(float(q1[t]), float(n)), (float(q3[t]), float(n))] for n, t in enumerate(order)
    ]
    segments(axes, lines, "quartiles", ec="#6faed6", lw=3.2, clip_on=False)
    axes.plot(
        [middle[t] for t in order],
        range(len(order)),
        "o",
        ms=5,
        color=COLOURS[0],
        gid="medians",
        clip_on=False,
    )
    axes.set_xlim(0, float(found.edges[-1]))
    _ticks(axes, lens, found)
    for row, name in enumerate(names):
        write(axes, -0.02, row, name, ha="right", va="center", transform=axes.get_yaxis_transform())
    axes.set_xlabel(_label(lens), fontsize=TEXT, color=INK, labelpad=3)
    spread = (
        "Dots: median over cases, lines: middle half of the cases."
        if found.n.max() > 1
        else "Dots: one case."
    )
    caption = (
        f"Distance from the target’s own border within which {share(found.half)} of its attribution lies; 0 is inside it. "
        f"{spread} Between the shells’ edges it is interpolated."
    )
    told = [f"{found.targets[t]} {number(float(middle[t]))} {lens.unit}".strip() for t in order]
    return Drawing(
        figure,
        caption,
        f"Context radius of {count(len(order), 'target')}, the farthest first: {listed(told, 8)}.",
    )


def _ticks(axes: Axes, lens: Lens, found: RadiusCurves) -> None:
    """At the shells' edges, as far as their names do not touch."""
    last = float(found.edges[-1])
    names = [number(float(e)) for e in found.edges]
    if lens.open_end:
        names[-1] = f">{number(float(found.edges[-2]))}" if len(found.edges) > 1 else names[-1]
    kept: list[int] = []
    for k in range(len(names) - 1, -1, -1):
        if not kept or found.edges[kept[-1]] - found.edges[k] > 0.13 * last:
            kept.append(k)
    axes.set_xticks([float(found.edges[k]) for k in kept], labels=[names[k] for k in kept])


def _label(lens: Lens) -> str:
    return f"distance from its border ({lens.unit})" if lens.unit else "shell, from the inside out"


def _alt(found: RadiusCurves, t: int, lens: Lens) -> str:
    told = [f"{s} {share(float(v))}" for s, v in zip(found.shells, found.median[t], strict=True)]
    half = number(float(found.radius_quartiles[1][t]))
    return (
        f"Cumulative share of {found.targets[t]} outwards, median of {count(int(found.n[t]), 'case')}: {', '.join(told)}. "
        f"Half of it lies within {half} {lens.unit}."
    )
