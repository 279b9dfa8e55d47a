"""Critical-difference diagram (Demšar 2006): methods at their mean ranks, bars join those that cannot be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from voxplain.report.canvas import Drawing
from voxplain.report.study.figures.compound import Point, segments
from voxplain.report.study.figures.sheet import FAINT, INK, panel, room, sheet, short, write
from voxplain.report.study.words import chance, count, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from voxplain.metric.comparison import Ranking

_WIDTH, _ROW = 4.2, 0.19  # inches: of the axis, of a name
_NAME = 28  # letters of a name, beside its rank
_AXIS = 3.0  # rows from the top to the axis, where the ruler of the critical difference lies
_BAR = 0.55  # rows between bars


def ranks(ranking: Ranking, names: Sequence[str], title: str) -> Drawing:
    """The diagram; rank 1, the best, is on the left."""
    average = ranking.average
    order = [int(i) for i in np.argsort(average, kind="stable")]
    half = (len(order) + 1) // 2
    bars = _levels(ranking)
    first = _AXIS + 0.9 + _BAR * (max((level for level, _ in bars), default=-1) + 1)
    margin = max(room(f"{short(name, _NAME)}  00.00" for name in names), 0.8)
    rows = first + half + 0.2
    figure = sheet(_WIDTH + 2 * margin, rows * _ROW)
    axes = panel(figure, margin, 0, _WIDTH, rows * _ROW)
    axes.set_xlim(1, max(len(order), 2))
    axes.set_ylim(rows, 0)
    axes.set_axis_off()
    _axis(axes, len(order), ranking.critical)
    for number_, (level, group) in enumerate(bars):
        y = _AXIS + 0.6 + _BAR * level
        span = [average[list(group)].min(), average[list(group)].max()]
        axes.plot(
            span, [y, y], color=INK, lw=3.2, solid_capstyle="round", gid=f"bar-{number_}", clip_on=False
        )
    _names(axes, average, names, order[:half], first, left=True)
    _names(axes, average, names, order[half:][::-1], first, left=False)
    return Drawing(figure, _caption(ranking), _alt(ranking, names, order, title))


def _axis(axes: Axes, methods: int, critical: float) -> None:
    right = max(methods, 2)
    step = max(1, round(methods / 12))
    ticks = sorted({1, *range(step, methods + 1, step)} if step > 1 else set(range(1, methods + 1)))
    lines: list[list[Point]] = [[(1, _AXIS), (right, _AXIS)]]
    lines += [[(t, _AXIS), (t, _AXIS - 0.35)] for t in ticks]
    # the ruler; a difference wider than the axis would run out of the figure
    end = min(1 + critical, right)
    lines += [[(1, 1.25), (end, 1.25)], [(1, 1.0), (1, 1.5)]]
    if 1 + critical <= right:
        lines.append([(end, 1.0), (end, 1.5)])
    segments(axes, lines, "axis", ec=INK, lw=0.9, clip_on=False)
    for t in ticks:
        write(axes, t, _AXIS - 0.5, str(t), ha="center", va="bottom")
    text = f"critical difference {number(critical)}"
    write(
        axes,
        1,
        0.85,
        text + ("" if 1 + critical <= right else ", wider than the axis"),
        ha="left",
        va="bottom",
    )


def _names(
    axes: Axes, average: np.ndarray, names: Sequence[str], own: Sequence[int], first: float, *, left: bool
) -> None:
    """Lines from the axis down and out to the names, that of the outermost rank on top."""
    low, high = axes.get_xlim()
    edge, side = (low, -1.0) if left else (high, 1.0)
    edge += side * 0.012 * (high - low)
    lines = []
    for row, method in enumerate(own):
        y, x = first + row + 0.5, float(average[method])
        lines.append([(x, _AXIS), (x, y), (edge, y)])
        label = names[method]
        rank = number(x)
        write(axes, edge + side * 0.012 * (high - low), y, _labelled(label, rank, left=left), gid=f"name-{method}",
              ha="right" if left else "left", va="center")  # fmt: skip
    segments(axes, lines, "names-left" if left else "names-right", ec=FAINT, lw=0.7, clip_on=False)


def _labelled(name: str, rank: str, *, left: bool) -> str:
    kept = short(name, _NAME)
    return f"{kept}  {rank}" if left else f"{rank}  {kept}"


def _levels(ranking: Ranking) -> list[tuple[int, tuple[int, ...]]]:
    """Bars with the row that each one takes: the first in which it touches no other."""
    ends: list[float] = []
    found = []
    gap = 0.02 * len(ranking.average)
    for group in ranking.alike:
        low, high = ranking.average[list(group)].min(), ranking.average[list(group)].max()
        level = next((k for k, end in enumerate(ends) if end + gap < low), len(ends))
        ends[level:] = [high, *ends[level + 1 :]]
        found.append((level, group))
    return found


def _caption(ranking: Ranking) -> str:
    return (
        f"Mean ranks over {count(ranking.cases, 'case')}, 1 is the best. A bar joins methods that differ by less than the "
        f"critical difference (Nemenyi, level {ranking.alpha:g}) and thus cannot be told apart. "
        f"That all are alike: p {chance(ranking.p)} (Friedman)."
    )


def _alt(ranking: Ranking, names: Sequence[str], order: Sequence[int], title: str) -> str:
    told = [f"{names[i]} {number(float(ranking.average[i]))}" for i in order]
    shown = told if len(told) <= 16 else [*told[:8], "…", *told[-4:]]
    groups = count(len(ranking.alike), "group")
    return f"Mean ranks under {title}: {', '.join(shown)}; {groups} of methods that cannot be told apart."
