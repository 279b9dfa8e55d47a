"""What the colours of a matrix mean: a swatch per step, then what grey and hatched cells are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxplain.report.cohort.figures.shades import ABSENT, GREY, Scale, colour
from voxplain.report.study.figures.compound import Point, box, segments, shapes
from voxplain.report.study.figures.sheet import LINE, room, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STRUCK = "#a5acb5"  # of cells that are not there
HATCHED = "hatched"
_SWATCH, _TALL, _GAP, _APART = 0.24, 0.14, 0.08, 0.2
_SECOND = 0.29  # inches below the first row

At = Callable[[float, float], Point]


@dataclass(frozen=True)
class Legend:
    """Two rows below the cells.

    Attributes:
        write: a value as a cell has it.
        name: what the colours are.
        keys: what grey and hatched mean, with ``;`` between, as in ``grey: too few; hatched: in no case``.
    """

    scale: Scale
    write: Callable[[float], str]
    name: str
    keys: str

    @property
    def width(self) -> float:
        """Inches that it takes."""
        first = len(self.scale.all_steps) * _SWATCH + _APART + room([self.name])
        return max(first, sum(_taken(key) for key in self._keys))

    @property
    def _keys(self) -> list[str]:
        return [key.strip() for key in self.keys.split(";") if key.strip()]

    def draw(self, axes: Axes, at: At) -> None:
        """With the first swatch's lower left corner at (0, 0) inches; ``at`` has places in the axes' data."""
        steps = self.scale.all_steps
        for k, step in enumerate(steps):
            shapes(axes, [_box(at, k * _SWATCH, 0.0)], f"legend-{step}", fc=colour(step), ec="white", lw=0.5,
                   clip_on=False)  # fmt: skip
        ends = {0: -self.scale.limit if self.scale.signed else 0.0, len(steps): self.scale.limit}
        if self.scale.signed:
            ends[len(steps) // 2] = 0.0
        for k, value in ends.items():
            write(axes, *at(k * _SWATCH, -0.03), self.write(value), ha="center", va="top", fontsize=7.5)
        where = at(len(steps) * _SWATCH + _APART, _TALL / 2)
        write(axes, *where, self.name, ha="left", va="center", fontsize=8)
        x = 0.0
        for key in self._keys:
            _key(axes, at, x, key)
            x += _taken(key)


def _taken(key: str) -> float:
    return _SWATCH + _GAP + room([key]) + _GAP


def _key(axes: Axes, at: At, x: float, text: str) -> None:
    y = -_SECOND
    hatched = text.startswith(HATCHED)
    fill, edge = (ABSENT, LINE) if hatched else (GREY, "white")
    shapes(
        axes,
        [_box(at, x, y)],
        f"legend-{HATCHED if hatched else 'grey'}",
        fc=fill,
        ec=edge,
        lw=0.5,
        clip_on=False,
    )
    if hatched:  # as a cell is struck out
        lines = [
            [at(x, y), at(x + _SWATCH, y + _TALL)],
            [at(x, y + _TALL / 2), at(x + _SWATCH, y + _TALL / 2)],
        ]
        segments(axes, lines, "legend-struck", ec=STRUCK, lw=0.7, clip_on=False)
    write(axes, *at(x + _SWATCH + _GAP, y + _TALL / 2), text, ha="left", va="center", fontsize=8)


def _box(at: At, x: float, y: float) -> list[Point]:
    (x0, y0), (x1, y1) = at(x, y), at(x + _SWATCH, y + _TALL)
    return box(x0, x1, y0, y1)
