"""How well each method's table goes with measured effects: a row per target, a mark per method, beside chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voxplain.report.canvas import Drawing
from voxplain.report.cohort.shown.faithful import Truthful
from voxplain.report.cohort.shown.words import listed
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
from voxplain.report.study.words import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

MOST = 40  # targets
_MARKS = ("o", "D", "s", "^", "v", "P", "X")
_ROW, _WIDTH, _FOOT = 0.21, 4.2, 0.5


def agree(found: Sequence[Truthful]) -> Drawing | None:
    """All methods on one measured truth; the target with the highest mean on top."""
    if not found or not any((f.n > 0).any() for f in found):
        return None
    targets = found[0].targets
    best = np.nanmax(np.stack([np.where(np.isnan(f.spearman), -2.0, f.spearman) for f in found]), axis=0)
    order = [int(t) for t in np.argsort(-best, kind="stable") if best[t] > -2][:MOST]
    names = [short(targets[t]) for t in order]
    legend = [short(f.label, 60) for f in found]
    left, height = room(names) + 0.05, len(order) * _ROW
    head = 0.1 + (len(found) + 2) * 0.17
    figure = sheet(max(left + _WIDTH + 0.2, 0.5 + room(legend)), head + height + _FOOT)
    axes = panel(figure, left, _FOOT, _WIDTH, height)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_xlim(-1, 1)
    axes.set_yticks([])
    axes.grid(axis="x", color=LINE, lw=0.5)
    axes.set_axisbelow(True)
    axes.axvline(0, color=FAINT, lw=1.0)
    band = [(n, float(found[0].null[t])) for n, t in enumerate(order) if np.isfinite(found[0].null[t])]
    shapes(axes, [_bar(n, -v, v) for n, v in band], "chance", fc="#dfe2e6", ec="none", lw=0)
    volume: list[list[Point]] = [
        [(float(found[0].volume[t]), n - 0.4), (float(found[0].volume[t]), n + 0.4)]
        for n, t in enumerate(order)
        if np.isfinite(found[0].volume[t])
    ]
    segments(axes, volume, "volume", ec=COLOURS[1], lw=1.6)
    for k, f in enumerate(found):
        rows = [(float(f.spearman[t]), n) for n, t in enumerate(order) if np.isfinite(f.spearman[t])]
        if rows:
            x, y = zip(*rows, strict=True)
            axes.plot(x, y, **_style(f, k), gid=f"method-{k}", clip_on=False)
    for row, name in enumerate(names):
        write(axes, -0.02, row, name, ha="right", va="center", transform=axes.get_yaxis_transform())
    _legend(axes, found, legend, height, left)
    axes.set_xlabel(
        "rank correlation with measured effects, mean over cases", fontsize=TEXT, color=INK, labelpad=3
    )
    return Drawing(figure, _caption(found, len(order)), _alt(found))


def _bar(n: int, low: float, high: float) -> list[Point]:
    return [(low, n - 0.4), (high, n - 0.4), (high, n + 0.4), (low, n + 0.4)]


def _style(f: Truthful, k: int) -> dict[str, Any]:
    """Methods are filled, redrawn networks hollow and grey."""
    colour = FAINT if f.reference else (COLOURS[0], *COLOURS[2:])[k % 6]
    return {"marker": _MARKS[k % len(_MARKS)], "ms": 5.5, "mfc": "none" if f.reference else colour, "mec": colour,
            "mew": 1.2, "ls": ""}  # fmt: skip


def _legend(axes: Axes, found: Sequence[Truthful], names: Sequence[str], height: float, left: float) -> None:
    """Above the rows, a line each; chance and size last."""
    x, text = -(left - 0.15) / _WIDTH, -(left - 0.27) / _WIDTH
    where: dict[str, Any] = {"transform": axes.transAxes, "clip_on": False}
    heights = [1 + (0.12 + 0.17 * k) / height for k in reversed(range(len(found) + 2))]
    for k, (f, y) in enumerate(zip(found, heights, strict=False)):
        axes.plot([x], [y], **_style(f, k), **where)
    half = 0.06 / height
    axes.plot([x, x], [heights[-2] - half, heights[-2] + half], color=COLOURS[1], lw=1.6, **where)
    axes.plot([x], [heights[-1]], "s", ms=6, color="#c3c8ce", **where)
    last = (
        "size of the regions alone, with the effects’ sizes",
        "chance: 95 % of shuffled regions stay inside",
    )
    for y, name in zip(heights, (*names, *last), strict=True):
        write(axes, text, y, name, transform=axes.transAxes, ha="left", va="center", fontsize=8)


def _caption(found: Sequence[Truthful], drawn: int) -> str:
    effect = found[0].effect
    rest = f" The {drawn} targets with the highest." if drawn < len(found[0].targets) else ""
    return (
        f"Spearman correlation over regions of each method’s numbers with {effect}, mean over cases. Absolute sums are "
        f"compared with the effects’ sizes. Grey: what 95 % of shufflings of the regions stay below, mean over cases, and "
        f"its mirror image.{rest}"
    )


def _alt(found: Sequence[Truthful]) -> str:
    told = [f"{f.label} {number(f.overall, 2)}" for f in found]
    return f"Rank correlation with measured effects, mean over targets and cases: {listed(told, 10)}."
