"""Rows of cases or targets, columns of methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voxplain.errors import InputError
from voxplain.report.canvas import Drawing
from voxplain.report.caption import legend
from voxplain.report.figure.describe import caption
from voxplain.report.figure.layout import Box, Layout, layout
from voxplain.report.figure.marks import mark_length, mark_letters, position
from voxplain.report.figure.row import Drawn, FigureRow, drawn
from voxplain.report.figure.scaling import Shared, scaled
from voxplain.report.figure.style import PAPER, Style
from voxplain.report.figure.words import (
    add_scale,
    legend_lines,
    name_columns,
    name_row,
    write,
    write_legend,
)
from voxplain.report.panel import panel_size, show_slice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from voxplain.report.view import Plane, View

_PLANES = ("axial", "coronal", "sagittal")
_IMAGE = "image"


@dataclass(frozen=True, eq=False)
class _Line:
    """One line of pictures: a slice of a row."""

    row: Drawn
    plane: Plane
    index: int
    first: bool


def draw_grid(
    rows: Sequence[FigureRow],
    columns: Sequence[str] = (),
    *,
    planes: Sequence[str] = ("axial",),
    at: Sequence[float] | None = None,
    scale: Shared = "method",
    percentile: float = 99.5,
    window: tuple[float, float] | None = None,
    title: str = "",
    style: Style = Style(),  # noqa: B008  (frozen)
) -> Drawing:
    """Draw images and maps side by side: a row of pictures per row and plane, a column per method.

    Args:
        rows: what is drawn.
        columns: methods in order; by default all that any row has.
        planes: of volumes, ``axial``, ``coronal``, ``sagittal``; of arrays without orientation axes 2, 1, 0.
        at: slices through this place, RAS mm; by default where the label in focus is largest, else where maps are strongest.
        scale: which maps share a colour range: of a ``method``, of a ``row``, or ``all``.
        percentile: of |value| over non-zero voxels, where the colours end.
        window: grey levels of all images; by default percentiles of each.
        title: above everything.
        style: sizes in mm and points.

    Returns:
        the figure with a caption that says what it shows.

    Raises:
        InputError: nothing to draw, an unknown plane, a place outside the image, units that cannot share a range.
    """
    if not rows:
        raise InputError("figure: no rows; at least one is needed")
    names = list(columns) or list(dict.fromkeys(name for row in rows for name in row.maps))
    found = scaled([drawn(row, percentile, window) for row in rows], scale, percentile)
    lines = [line for row in found for line in _lines(row, planes, at)]
    entries = list({e: None for row in found for e in legend(row.base)}) if style.outlines else []
    under = legend_lines(entries, style)
    made = layout(
        [panel_size(line.row.base, line.plane) for line in lines], [line.first for line in lines], len(names) + 1, style,
        title=bool(title), side=scale != "method", below=scale == "method", legend=len(under),
    )  # fmt: skip
    figure = _sheet(made)
    if title:
        write(figure, 1.0, 1.0, title, 1.1 * style.points, made.size[0] - 2)
    name_columns(figure, made, [_IMAGE, *names], style)
    for line, boxes in zip(lines, made.panels, strict=True):
        _draw_line(figure, made, line, boxes, names, style)
    _name_rows(figure, made, lines, style)
    _scales(figure, made, found, lines, names, scale, style)
    write_legend(figure, made, under, style)
    told = [(line.row, position(line.row.base, line.plane, line.index)) for line in lines]
    return Drawing(figure, *caption(found, told, names, scale))


def _sheet(made: Layout) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(made.size[0] / 25.4, made.size[1] / 25.4), facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def _lines(row: Drawn, planes: Sequence[str], at: Sequence[float] | None) -> list[_Line]:
    view = row.base.view
    if view.ndim == 2:
        return [_Line(row, view.planes()[0], 0, True)]
    made = []
    for n, name in enumerate(dict.fromkeys(planes)):
        if name not in _PLANES:
            raise InputError(f"figure: plane {name!r}; expected {', '.join(_PLANES)}")
        plane = view.planes()[_PLANES.index(name)]
        made.append(_Line(row, plane, _slice(row, plane, at), n == 0))
    if not made:
        raise InputError(f"figure: no planes; expected {', '.join(_PLANES)}")
    return made


def _slice(row: Drawn, plane: Plane, at: Sequence[float] | None) -> int:
    others = tuple({0, 1, 2} - {plane.axis})
    if at is not None:
        return _voxel(row.base.view, at, row.row.name)[plane.axis]
    focus = row.focused()
    weight = row.strength.sum(axis=others) if focus is None else focus.sum(axis=others)
    return int(weight.argmax()) if weight.any() else row.base.view.shape[plane.axis] // 2


def _voxel(view: View, at: Sequence[float], name: str) -> tuple[int, ...]:
    """The display index of a place in RAS mm."""
    if view.affine is None:
        raise InputError(f"figure, row {name!r}: no orientation is known, so there is no place in mm")
    if len(at) != 3:
        raise InputError(f"figure: at has {len(at)} numbers; three are needed, RAS mm")
    found = np.linalg.solve(view.affine, [*map(float, at), 1.0])[:3]
    index = tuple(int(n) for n in np.rint(found))
    if not all(0 <= n < size for n, size in zip(index, view.shape, strict=True)):
        told = ", ".join(f"{x:g}" for x in at)
        raise InputError(f"figure, row {name!r}: RAS ({told}) mm lies outside the image")
    return index


def _draw_line(
    figure: Figure, made: Layout, line: _Line, boxes: Sequence[Box], names: Sequence[str], style: Style
) -> None:
    for n, (box, name) in enumerate(zip(boxes, [None, *names], strict=True)):
        axes = figure.add_axes(box.share(made.size))
        scene = line.row.base if name is None else line.row.scenes.get(name)
        if scene is None:
            _empty(figure, axes, box, line, str(name), style)
            continue
        outlined = style.outlines and bool(scene.outlined)
        show_slice(
            axes, scene, line.plane, line.index, letters=False, coloured=name is not None, outlined=outlined
        )
        if n == 0 and style.letters:
            mark_letters(axes, line.plane, style)
        if n == 0 and style.scale_bar:
            mark_length(axes, scene, line.plane, style, (box.width, box.height))


def _empty(figure: Figure, axes: object, box: Box, line: _Line, name: str, style: Style) -> None:
    axes.set_axis_off()  # type: ignore[attr-defined]
    text = "zero everywhere" if name in line.row.row.maps else "no map"
    x, y = box.left + box.width / 2, box.top + box.height / 2
    write(figure, x, y, text, style.small, box.width, ha="center", va="center")


def _name_rows(figure: Figure, made: Layout, lines: Sequence[_Line], style: Style) -> None:
    starts = [n for n, line in enumerate(lines) if line.first]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        boxes = [made.panels[n][0] for n in range(start, end)]
        told = [position(line.row.base, line.plane, line.index) for line in lines[start:end]]
        name_row(figure, boxes, lines[start].row.row.name, told, style)


def _scales(
    figure: Figure, made: Layout, rows: Sequence[Drawn], lines: Sequence[_Line], names: Sequence[str], shared: Shared,
    style: Style,
) -> None:  # fmt: skip
    """Colour bars: below the columns, or at the right of what shares a range."""
    if shared == "method":
        for left, name in zip(made.lefts[1:], names, strict=True):
            scene = next((row.scenes[name] for row in rows if name in row.scenes), None)
            if scene is not None:
                box = Box(left + 0.14 * made.cell, made.bars, 0.72 * made.cell, 1.5)
                add_scale(figure, box, scene.scale, scene.unit, style, made.size)
        return
    right = made.lefts[-1] + made.cell + 1.4
    groups = [[n for n, line in enumerate(lines) if line.row is row] for row in rows]
    if shared == "all":
        groups = [list(range(len(lines)))]
    for group in groups:
        scene = next((s for n in group for s in lines[n].row.scenes.values()), None)
        if scene is None:
            continue
        top, last = made.panels[group[0]][0].top, made.panels[group[-1]][0]
        whole = last.top + last.height - top
        height = min(0.86 * whole, 45.0)
        add_scale(
            figure,
            Box(right, top + (whole - height) / 2, 1.5, height),
            scene.scale,
            scene.unit,
            style,
            made.size,
        )
