"""An empty figure with panels in rows, all at one physical scale, and room for titles, legend and colour bar.

Only matplotlib's object-oriented interface with its Agg canvas: nothing is registered, so nothing stays open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxplain.report.colours import DARK, FAINT, INK, bar_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from voxplain.report.scene import Scene

# Inches.
_LEFT, _GAP, _PANEL_TITLE, _BAR, _LINE = 0.12, 0.14, 0.26, 0.95, 0.21
_NARROWEST = 1.5  # a panel's cell, so that its title fits
_TALLEST = 8.0
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Drawing:
    """A finished figure, with the caption that says what it shows and a text for those who cannot see it."""

    figure: Figure
    caption: str
    alt: str


Size = tuple[float, float]
"""Width and height of a panel in mm (or pixels, where no spacing is known)."""


def canvas(
    rows: Sequence[Sequence[Size]], width: float, head: int, foot: int
) -> tuple[Figure, list[list[Axes]]]:
    """A figure `width` inches wide with one axes per panel and room for `head` and `foot` lines of text."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    usable = width - 2 * _LEFT - _BAR
    scale = min((usable - _GAP * (len(row) - 1)) / sum(w for w, _ in row) for row in rows)
    highest = max(h for row in rows for _, h in row)
    scale = min(scale, _TALLEST / highest)
    cells = [[max(w * scale, _NARROWEST) for w, _ in row] for row in rows]
    overflow = max(sum(row) + _GAP * (len(row) - 1) for row in cells) - usable
    wide = max(width + overflow, 5.0)
    heights = [max(max(h for _, h in row) * scale, 0.3) for row in rows]
    tall = head * _LINE + 0.02 + sum(h + _PANEL_TITLE + _GAP for h in heights) + foot * _LINE + 0.06
    figure = Figure(figsize=(wide, tall), facecolor=DARK)
    FigureCanvasAgg(figure)
    axes: list[list[Axes]] = []
    top = tall - head * _LINE - 0.02
    for row, cell, height in zip(rows, cells, heights, strict=True):
        left, line = _LEFT, []
        for (w, h), space in zip(row, cell, strict=True):
            bottom = top - _PANEL_TITLE - (height + h * scale) / 2
            box = (left + (space - w * scale) / 2, bottom, w * scale, h * scale)
            line.append(figure.add_axes((box[0] / wide, box[1] / tall, box[2] / wide, box[3] / tall)))
            left += space + _GAP
        axes.append(line)
        top -= height + _PANEL_TITLE + _GAP
    return figure, axes


def write_head(figure: Figure, lines: Sequence[str]) -> None:
    """Title lines at the top left; the first one is larger."""
    wide, tall = figure.get_size_inches()
    for n, line in enumerate(lines):
        figure.text(
            _LEFT / wide,
            1 - (0.06 + n * _LINE) / tall,
            line,
            ha="left",
            va="top",
            color=INK if n == 0 else FAINT,
            fontsize=10.5 if n == 0 else 8.5,
            parse_math=False,  # a class may be named "$"
        )


def add_bar(figure: Figure, panel: Axes, scene: Scene) -> None:
    """The colour bar at the right edge: symmetric ticks, unit, pointed where values go beyond."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    wide, tall = figure.get_size_inches()
    limit, scale = scene.scale.limit, scene.scale
    shown = ListedColormap(bar_colours(limit).tolist())
    box = panel.get_position()
    height = min(max(box.height, 1.4 / tall), 3.2 / tall)
    place = figure.add_axes(
        (1 - (_BAR - 0.12) / wide, box.y0 + (box.height - height) / 2, 0.14 / wide, height)
    )
    above, below = scale.high > limit, scale.low < -limit
    extend = {(True, True): "both", (True, False): "max", (False, True): "min"}.get((above, below), "neither")
    bar = figure.colorbar(
        ScalarMappable(Normalize(-limit, limit), shown), cax=place, extend=extend, ticks=[-limit, 0, limit]
    )
    power = _power_of_ten(limit)
    bar.ax.set_yticklabels([signed(-limit / 10**power), "0", signed(limit / 10**power)])
    bar.ax.tick_params(colors=INK, labelsize=7.5, length=2)
    bar.set_label(
        scene.unit + (f" × 10{str(power).translate(_RAISED)}" if power else ""),
        color=INK,
        fontsize=8,
        parse_math=False,
    )
    bar.outline.set_edgecolor(FAINT)


def write_legend(figure: Figure, entries: Sequence[tuple[str, str, bool]]) -> None:
    """Lines of (name, colour, dashed) at the bottom, as many to a line as fit."""
    from matplotlib.lines import Line2D

    wide, tall = figure.get_size_inches()
    left, line = _LEFT, legend_lines(entries, wide) - 1
    for name, colour, dashed in entries:
        needed = _entry_width(name)
        if left > _LEFT and left + needed > wide - _LEFT:
            left, line = _LEFT, line - 1
        y = (0.14 + line * _LINE) / tall
        figure.add_artist(
            Line2D([left / wide, (left + 0.22) / wide], [y, y], color=colour, lw=1.6, ls=_dash(dashed))
        )
        figure.text(
            (left + 0.28) / wide, y, _short(name), color=INK, fontsize=8, va="center", parse_math=False
        )
        left += needed


def legend_lines(entries: Sequence[tuple[str, str, bool]], width: float) -> int:
    """How many lines `write_legend` will take in a figure of this width in inches."""
    left, lines = _LEFT, 1 if entries else 0
    for name, _, _ in entries:
        needed = _entry_width(name)
        if left > _LEFT and left + needed > width - _LEFT:
            left, lines = _LEFT, lines + 1
        left += needed
    return lines


def signed(value: float) -> str:
    """A number with its sign and three digits, with the true minus.

    >>> signed(-0.01234), signed(12345.0), signed(0)
    ('−0.0123', '+1.23e+04', '0')
    """
    return f"{value:+.3g}".replace("-", "−", 1) if value else "0"


def _power_of_ten(limit: float) -> int:
    """The power that is written beside the unit, so that the ticks stay short."""
    power = math.floor(math.log10(limit))
    return power if not -2 <= power <= 2 else 0


def _entry_width(name: str) -> float:
    return 0.46 + 0.072 * len(_short(name))


def _short(name: str, longest: int = 40) -> str:
    flat = " ".join(name.split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def _dash(dashed: bool) -> str | tuple[float, tuple[float, float]]:
    return (0.0, (2.2, 1.6)) if dashed else "-"
