"""One target's shares over patients: a box per region, dots where there are few cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxplain.report.canvas import Drawing
from voxplain.report.cohort.page import Lens, Numbers
from voxplain.report.cohort.shown.words import listed, share
from voxplain.report.study.figures.compound import Point, box, segments, shapes
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

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TOP = 8  # regions
FEWEST = 5  # cases from which on a box says more than dots
_ROW, _WIDTH, _FOOT, _HEAD = 0.22, 3.3, 0.5, 0.1


def top_regions(lens: Lens, t: int, most: int = TOP) -> list[int]:
    """The largest mean shares."""
    mean = lens.shares.mean[t]
    order = np.argsort(-np.nan_to_num(mean, nan=-1.0), kind="stable")
    return [int(r) for r in order if not np.isnan(mean[r])][:most]


def shares(lens: Lens, t: int) -> Drawing:
    """Of a target."""
    regions = top_regions(lens, t)
    lanes = [_known(lens.mass.values[:, t, r]) for r in regions]
    target = lens.mass.targets[t]
    names = [_name(lens, t, r) for r in regions]
    cases = int(lens.mass.answered[:, t].sum())
    counts = [f"n = {len(v)}" if len(v) < cases else "" for v in lanes]
    height, left = max(len(lanes), 1) * _ROW, room(names) + 0.05
    figure = sheet(left + _WIDTH + 0.1 + (room(counts) if any(counts) else 0.1), height + _FOOT + _HEAD)
    axes = panel(figure, left, _FOOT, _WIDTH, height)
    axes.set_ylim(max(len(lanes), 1) - 0.5, -0.5)
    axes.set_yticks([])
    axes.grid(axis="x", color=LINE, lw=0.5)
    axes.set_axisbelow(True)
    _draw(axes, lanes, [lens.coloured[t, r] and lens.tested for r in regions])
    _volume(axes, lens, t, regions)
    top = max((float(v.max()) for v in lanes if len(v)), default=1.0)
    axes.set_xlim(0, 1.04 * top or 1.0)
    for row, (name, told) in enumerate(zip(names, counts, strict=True)):
        where = axes.get_yaxis_transform()
        write(axes, -0.02, row, name, ha="right", va="center", transform=where)
        write(axes, 1.02, row, told, ha="left", va="center", transform=where, color=FAINT, fontsize=8)
    axes.set_xlabel("share of its attribution", fontsize=TEXT, color=INK, labelpad=3)
    axes.xaxis.set_major_formatter(lambda x, _: share(round(float(x), 9)))
    axes.locator_params(axis="x", nbins=5)
    return Drawing(figure, "", _alt(target, names, lanes))


def _name(lens: Lens, t: int, r: int) -> str:
    region = lens.mass.regions[r]
    return short(f"itself ({region})" if region == lens.mass.targets[t] else region)


def _draw(axes: Axes, lanes: list[Numbers], beats: list[bool]) -> None:
    for above, fill, edge in ((True, "#a9cde6", COLOURS[0]), (False, "#e1e3e6", FAINT)):
        rows = [(n, v) for n, (v, b) in enumerate(zip(lanes, beats, strict=True)) if b == above]
        kind = "above" if above else "rest"
        many = [(n, np.percentile(v, [0, 25, 50, 75, 100])) for n, v in rows if len(v) >= FEWEST]
        few = [(float(x), float(n)) for n, v in rows if len(v) < FEWEST for x in v]
        whiskers = [[(q[a], float(n)), (q[b], float(n))] for n, q in many for a, b in ((0, 1), (3, 4))]
        segments(axes, whiskers, f"whiskers-{kind}", ec=edge, lw=1.0, clip_on=False)
        shapes(axes, [box(q[1], q[3], n - 0.3, n + 0.3) for n, q in many], f"boxes-{kind}", fc=fill, ec=edge, lw=0.9,
               clip_on=False)  # fmt: skip
        middles: list[list[Point]] = [[(q[2], n - 0.3), (q[2], n + 0.3)] for n, q in many]
        segments(axes, middles, f"medians-{kind}", ec=INK, lw=1.6, clip_on=False)
        if few:
            x, y = zip(*few, strict=True)
            axes.plot(
                x, y, "o", ms=4.5, mfc=fill, mec=edge, mew=1.2, gid=f"dots-{kind}", ls="", clip_on=False
            )


def _volume(axes: Axes, lens: Lens, t: int, regions: list[int]) -> None:
    """What volume alone would give: a tick per region."""
    if "volume" not in lens.expected.nulls:
        return
    expected = [_known(lens.expected.nulls["volume"].values[:, t, r]) for r in regions]
    ticks: list[list[Point]] = [
        [(float(np.median(v)), n - 0.42), (float(np.median(v)), n + 0.42)]
        for n, v in enumerate(expected)
        if len(v)
    ]
    segments(axes, ticks, "volume", ec=COLOURS[1], lw=1.6)


def _alt(target: str, names: list[str], lanes: list[Numbers]) -> str:
    told = [f"{n} {share(float(np.median(v)))}" for n, v in zip(names, lanes, strict=True) if len(v)]
    return f"Shares of {target} over cases, medians: {listed(told, 8)}."


def _known(values: Numbers) -> Numbers:
    return values[np.isfinite(values)]
