"""Where everything stands, in mm from the upper left corner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voxplain.report.figure.style import Style

_EDGE, _GAP, _BETWEEN = 1.0, 0.8, 1.6
_SIDE_BAR = 14.0  # width of a colour bar with its numbers beside the pictures
Size = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle in mm from the upper left corner of the sheet."""

    left: float
    top: float
    width: float
    height: float

    def share(self, sheet: Size) -> tuple[float, float, float, float]:
        """As matplotlib has it: left, bottom, width, height in shares of the sheet."""
        wide, tall = sheet
        return self.left / wide, 1 - (self.top + self.height) / tall, self.width / wide, self.height / tall


@dataclass(frozen=True)
class Layout:
    """The sheet.

    Attributes:
        size: width and height in mm.
        panels: a box per line and column.
        cell: width of a column.
        lefts: of the columns.
        heads: y of the columns' titles.
        bars: y where the colour bars below the columns begin.
        foot: y where the legend begins.
    """

    size: Size
    panels: tuple[tuple[Box, ...], ...]
    cell: float
    lefts: tuple[float, ...]
    heads: float
    bars: float
    foot: float


def layout(
    lines: Sequence[Size],
    first_of_row: Sequence[bool],
    columns: int,
    style: Style,
    *,
    title: bool,
    side: bool,
    below: bool,
    legend: int,
) -> Layout:
    """Boxes for pictures.

    Args:
        lines: width and height of each line's pictures in mm of the patient.
        first_of_row: whether a line begins another row, which is set apart.
        columns: of pictures.
        style: sizes.
        title: whether there is one.
        side, below: whether colour bars stand at the right, below the columns.
        legend: how many lines it has.
    """
    left = _EDGE + 2 * style.line + 0.6
    right = _EDGE + (_SIDE_BAR if side else 0)
    cell = (style.width - left - right - _GAP * (columns - 1)) / columns
    heads = _EDGE + (1.35 * style.line if title else 0)
    top = heads + style.line + 0.4
    under = (2 * style.line + 3.2 if below else 0) + legend * 1.15 * style.line + _EDGE + 0.6
    gaps = sum(_BETWEEN if n and first else _GAP for n, first in enumerate(first_of_row))
    wanted = [cell * h / w for w, h in lines]
    shrink = min(1.0, max(style.tallest - top - under - gaps, 10.0) / sum(wanted))
    # where the sheet would be too tall, it becomes narrower, so that columns stay together
    cell *= shrink
    lefts = tuple(left + n * (cell + _GAP) for n in range(columns))
    width = lefts[-1] + cell + right
    panels, y = [], top
    for n, (height, first) in enumerate(zip(wanted, first_of_row, strict=True)):
        y += (_BETWEEN if first else _GAP) if n else 0
        panels.append(tuple(Box(x, y, cell, height * shrink) for x in lefts))
        y += height * shrink
    bars = y + 1.2
    foot = bars + (2 * style.line + 2.6 if below else 0)
    return Layout((width, y + under), tuple(panels), cell, lefts, heads, bars, foot)
