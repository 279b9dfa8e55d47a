"""A matrix of targets and regions as coloured cells, from one to more than a hundred of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voxplain.report.cohort.figures.hover import Hovered, Spot
from voxplain.report.cohort.figures.legend import STRUCK, Legend
from voxplain.report.cohort.figures.shades import GREY, Scale, colour, is_dark
from voxplain.report.study.figures.compound import Point, box, segments, shapes
from voxplain.report.study.figures.sheet import FAINT, INK, flat, panel, room, sheet, short, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Numbers = NDArray[np.float64]
LARGE, MIDDLE, SMALL = 0.31, 0.2, 0.087  # inches of a cell
_TIGHT = 0.17  # cells below it have names on both sides in turn
_FOOT, _EDGE = 0.68, 0.12
_LONGEST, _SMALLER = 24, 0.9  # letters of such names, and their size
_NUMBERS = 0.28  # cells from which on values are written in them


@dataclass(frozen=True, eq=False)
class Grid:
    """What is drawn.

    Attributes:
        targets, regions: names in the order in which they stand.
        values: (targets, regions) NaN for what no case has: hatched.
        coloured: (targets, regions) others are grey.
        write: a value as a cell has it, short.
        hover: (targets, regions) texts; None for none.
        scale_name: what the colours are.
        grey_name: what grey and hatched cells are, as `Legend` has it; empty where there are none.
        row_breaks, column_breaks: places of lines between clusters.
        largest: inches of a cell at most; small ones hold no numbers.
    """

    targets: tuple[str, ...]
    regions: tuple[str, ...]
    values: Numbers
    coloured: NDArray[np.bool_]
    scale: Scale
    write: Callable[[float], str]
    scale_name: str
    grey_name: str
    caption: str
    alt: str
    hover: Sequence[Sequence[str]] | None = None
    row_breaks: tuple[int, ...] = ()
    column_breaks: tuple[int, ...] = ()
    largest: float = LARGE


def grid(found: Grid) -> Hovered:
    """Targets are rows, regions columns."""
    tall, wide = (min(_cell(len(n)), found.largest) for n in (found.targets, found.regions))
    rows, columns = _fitting(found.targets, tall), _fitting(found.regions, wide)
    width, height = wide * max(len(columns), 1), tall * max(len(rows), 1)
    left = max(_room(rows, tall), 1.0) + 0.05
    right = left if tall < _TIGHT else _EDGE
    head = _room(columns, wide) + 0.28
    foot = _FOOT + (_room(columns, wide) if wide < _TIGHT else 0.0)
    legend = Legend(found.scale, found.write, found.scale_name, found.grey_name)
    inner = max(width, 4.2 - left, _EDGE + legend.width - left - right)
    figure = sheet(left + inner + right, head + height + foot)
    axes = panel(figure, left, foot, width, height)
    axes.set_xlim(-0.5, max(len(columns), 1) - 0.5)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set_axis_off()
    _cells(axes, found)
    if min(tall, wide) >= _NUMBERS:
        _numbers(axes, found)
    _breaks(axes, found)
    _names(axes, rows, tall, width, upright=False)
    _names(axes, columns, wide, height, upright=True)
    write(axes, -0.05 / width, 1 + 0.06 / height, "target ← region", ha="right", va="bottom", style="italic", color=FAINT,
          transform=axes.transAxes, fontsize=7.5)  # fmt: skip
    _legend(axes, found, legend, width, height, left, foot)
    return Hovered(figure, found.caption, found.alt, _spots(found, left, head, wide, tall))


def _cell(count: int) -> float:
    return LARGE if count <= 24 else MIDDLE if count <= 48 else SMALL


def _fitting(names: Sequence[str], cell: float) -> list[str]:
    """Names of many cells are cut in the middle: their ends tell siblings apart."""
    if cell >= _TIGHT:
        return [short(n) for n in names]
    lines = [flat(n) for n in names]
    half = _LONGEST // 2
    return [n if len(n) <= _LONGEST else f"{n[:half]}…{n[-half:]}" for n in lines]


def _room(names: Sequence[str], cell: float) -> float:
    return room(names) * (_SMALLER if cell < _TIGHT else 1.0)


def _cells(axes: Axes, found: Grid) -> None:
    """Neighbours of one shade are one shape, below a lattice: ten thousand cells are a few hundred."""
    there = ~np.isnan(found.values)
    steps = found.scale.steps(found.values)
    groups = [(there & ~found.coloured, GREY, "grey")]
    groups += [(there & found.coloured & (steps == s), colour(s), f"step-{s}") for s in found.scale.all_steps]
    for chosen, fill, name in groups:
        runs = [box(a - 0.5, b - 0.5, i - 0.5, i + 0.5) for i, a, b in _runs(chosen)]
        shapes(axes, runs, name, fc=fill, ec="none", lw=0, clip_on=False)
    _lattice(axes, found)
    gone: list[list[Point]] = []
    for i, a, b in _runs(~there):
        # one stroke per cell, and the run's own middle line, so that it reads as struck out in any size
        gone += [[(j - 0.5, i + 0.5), (j + 0.5, i - 0.5)] for j in range(a, b)] + [
            [(a - 0.5, i), (b - 0.5, i)]
        ]
    segments(axes, gone, "absent", ec=STRUCK, lw=0.5, clip_on=False)
    own = [
        box(j - 0.5, j + 0.5, i - 0.5, i + 0.5)
        for i, t in enumerate(found.targets)
        for j, r in enumerate(found.regions)
        if t == r
    ]
    shapes(axes, own, "own", fill=False, ec=INK, lw=1.0 if len(found.regions) <= 48 else 0.5, clip_on=False)


def _runs(chosen: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Row, first column and the column after the last of what lies side by side."""
    edges = np.diff(np.pad(chosen, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.argwhere(edges == 1), np.argwhere(edges == -1)
    return [(int(i), int(a), int(b)) for (i, a), (_, b) in zip(starts, ends, strict=True)]


def _lattice(axes: Axes, found: Grid) -> None:
    rows, columns = len(found.targets), len(found.regions)
    lines: list[list[Point]] = [[(-0.5, i - 0.5), (columns - 0.5, i - 0.5)] for i in range(1, rows)]
    lines += [[(j - 0.5, -0.5), (j - 0.5, rows - 0.5)] for j in range(1, columns)]
    segments(axes, lines, "lattice", ec="white", lw=0.6 if columns <= 48 else 0.35, clip_on=False)


def _numbers(axes: Axes, found: Grid) -> None:
    steps = found.scale.steps(found.values)
    for i, j in np.argwhere(found.coloured & ~np.isnan(found.values)).tolist():
        ink = "white" if is_dark(int(steps[i, j])) else INK
        write(
            axes,
            j,
            i,
            found.write(float(found.values[i, j])),
            ha="center",
            va="center",
            fontsize=7.5,
            color=ink,
        )


def _breaks(axes: Axes, found: Grid) -> None:
    """Between clusters."""
    bottom, right = len(found.targets) - 0.5, len(found.regions) - 0.5
    lines: list[list[Point]] = [[(-0.5, b - 0.5), (right, b - 0.5)] for b in found.row_breaks]
    lines += [[(b - 0.5, -0.5), (b - 0.5, bottom)] for b in found.column_breaks]
    segments(axes, lines, "breaks", ec=INK, lw=0.8, clip_on=False)


def _names(axes: Axes, names: Sequence[str], cell: float, across: float, *, upright: bool) -> None:
    """Of many, every second one stands on the other side, so that none is left out and none touches its neighbour.

    Args:
        cell: inches of one along the names.
        across: inches of the cells across them.
    """
    tight, gap = cell < _TIGHT, 0.05 / across
    for k, name in enumerate(names):
        far = tight and k % 2 == 1
        size = 7.5 if tight else 8.5
        if upright:
            write(axes, k, -gap if far else 1 + gap, name, transform=axes.get_xaxis_transform(), rotation=90, fontsize=size,
                  ha="center", va="top" if far else "bottom")  # fmt: skip
        else:
            write(axes, 1 + gap if far else -gap, k, name, transform=axes.get_yaxis_transform(), fontsize=size,
                  ha="left" if far else "right", va="center")  # fmt: skip


def _legend(
    axes: Axes, found: Grid, legend: Legend, width: float, height: float, left: float, foot: float
) -> None:
    """In inches below the cells."""
    x, y = _EDGE - left, 0.36 - foot
    columns, rows = max(len(found.regions), 1), max(len(found.targets), 1)

    def at(inches_x: float, inches_y: float) -> Point:
        """Data coordinates of a place in inches from the legend's corner."""
        return (x + inches_x) / width * columns - 0.5, rows - 0.5 - (y + inches_y) / height * rows

    legend.draw(axes, at)


def _spots(found: Grid, left: float, top: float, wide: float, tall: float) -> tuple[Spot, ...]:
    if found.hover is None:
        return ()
    return tuple(
        Spot(left + j * wide, top + i * tall, wide, tall, text)
        for i, row in enumerate(found.hover)
        for j, text in enumerate(row)
    )
