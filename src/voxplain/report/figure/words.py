"""What stands beside the pictures: titles, names of rows, colour bars, the legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from voxplain.report.canvas import signed
from voxplain.report.colours import bar_colours
from voxplain.report.figure.layout import Box, Layout, Size
from voxplain.report.figure.style import FAINT, INK, POINT, Style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from voxplain.report.colours import Scale

_SMALLEST = 4.5  # points


def write(figure: Figure, x: float, y: float, text: str, points: float, room: float, **how: Any) -> None:
    """Text at a place in mm, smaller or cut off where it is longer than the room for it in mm."""
    wide, tall = figure.get_size_inches() * 25.4
    size = min(points, max(points * room / max(length(text, points), 1e-9), min(_SMALLEST, points)))
    shown = text
    while len(shown) > 2 and length(shown, size) > room * 1.001:
        shown = shown.rstrip("…")[:-1] + "…"
    how = {"color": INK, "va": "top", "ha": "left", "parse_math": False, **how}  # a class may be named "$"
    figure.text(x / wide, 1 - y / tall, shown, fontsize=size, **how)


def length(text: str, points: float) -> float:
    """Millimetres that a text takes in the font of the figures."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.strip():
        return 0.0
    path = TextPath((0, 0), text.replace("$", "S"), size=points, prop=FontProperties())
    return float(path.get_extents().width) * POINT


def name_columns(figure: Figure, made: Layout, names: Sequence[str], style: Style) -> None:
    """Light titles above the columns."""
    for left, name in zip(made.lefts, names, strict=True):
        write(figure, left + made.cell / 2, made.heads, name, style.points, made.cell, ha="center")


def name_row(figure: Figure, boxes: Sequence[Box], name: str, positions: Sequence[str], style: Style) -> None:
    """The row's name beside all of its lines, and beside each line where its slice lies; turned by 90°."""
    first, last = boxes[0], boxes[-1]
    whole = last.top + last.height - first.top
    turned: dict[str, Any] = {"rotation": 90, "ha": "center", "va": "center"}
    write(figure, 1.0 + style.line / 2, first.top + whole / 2, name, style.points, whole, **turned)
    for box, text in zip(boxes, positions, strict=True):
        middle = box.top + box.height / 2
        write(figure, 1.0 + 1.5 * style.line, middle, text, style.small, box.height, color=FAINT, **turned)


def add_scale(figure: Figure, box: Box, scale: Scale, unit: str, style: Style, sheet: Size) -> None:
    """A colour bar in a box: upright where that is taller than wide, pointed where values go beyond."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    upright, limit = box.height > box.width, scale.limit
    extend = {(True, True): "both", (True, False): "max", (False, True): "min"}.get(
        (scale.high > limit, scale.low < -limit), "neither"
    )
    place = figure.add_axes(box.share(sheet))
    bar = figure.colorbar(
        ScalarMappable(Normalize(-limit, limit), ListedColormap(bar_colours(limit).tolist())),
        cax=place, extend=extend, ticks=[-limit, 0, limit], orientation="vertical" if upright else "horizontal",
    )  # fmt: skip
    if bar.solids is not None:
        bar.solids.set_rasterized(True)  # many small shapes have seams between them
    bar.set_ticklabels([short(-limit), "0", short(limit)])
    bar.ax.tick_params(colors=INK, labelsize=style.small, length=1.2, width=0.4, pad=1)
    bar.outline.set(edgecolor=FAINT, linewidth=0.4)
    if upright:
        x, y = box.left + box.width + 10.5, box.top + box.height / 2
        write(figure, x, y, unit, style.small, 1.8 * box.height, rotation=90, ha="center", va="center")
    else:
        y = box.top + box.height + style.line + 0.5
        write(figure, box.left + box.width / 2, y, unit, style.small, box.width / 0.72, ha="center")


def short(value: float) -> str:
    """Two digits, the sign, the true minus.

    >>> short(-0.01234)
    '−0.012'
    """
    return signed(float(f"{value:.2g}"))


def legend_lines(entries: Sequence[tuple[str, str, bool]], style: Style) -> list[list[tuple[str, str, bool]]]:
    """Entries (name, colour, dashed) in lines, as many as fit into each."""
    lines: list[list[tuple[str, str, bool]]] = []
    left = style.width
    for entry in entries:
        needed = _entry(entry[0], style)
        if left + needed > style.width - 2:
            lines.append([])
            left = 1.0
        lines[-1].append(entry)
        left += needed
    return lines


def write_legend(
    figure: Figure, made: Layout, lines: Sequence[Sequence[tuple[str, str, bool]]], style: Style
) -> None:
    """Outlines as they are on the pictures, which are dark, with their names."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    wide, tall = made.size
    for n, line in enumerate(lines):
        left, y = 1.0, made.foot + (n + 0.5) * 1.15 * style.line
        for name, colour, dashed in line:
            patch = Rectangle(
                (left / wide, 1 - (y + 1.1) / tall), 5.2 / wide, 2.2 / tall, color="#101214", lw=0
            )
            figure.add_artist(patch)
            dash: Any = (0.0, (2.2, 1.6)) if dashed else "-"
            ends = [(left + 0.6) / wide, (left + 4.6) / wide]
            figure.add_artist(Line2D(ends, [1 - y / tall] * 2, color=colour, lw=1.0, ls=dash))
            write(figure, left + 6.2, y, name, style.small, 60.0, va="center")
            left += _entry(name, style)


def _entry(name: str, style: Style) -> float:
    return 8.5 + min(length(name, style.small), 60.0)
