"""How alike every two methods' maps are: a square of colours with the values in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxplain.report.canvas import Drawing
from voxplain.report.study.clusters import order
from voxplain.report.study.figures.compound import box, shapes
from voxplain.report.study.figures.sheet import INK, panel, room, sheet, short, write
from voxplain.report.study.words import kind, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from voxplain.report.study.page import AgreementMatrix, Numbers

_CELL = 0.31
_STEPS = 10  # shades from no likeness to the same map
_STOPS = ("#b35806", "#f1a340", "#f7f7f7", "#67a9cf", "#08519c")  # of −1, −½, 0, ½, 1: no red beside green


def heat(found: AgreementMatrix) -> Drawing:
    """Like beside like; of many methods the values stand below the diagonal only."""
    places = order(found)
    names = [short(found.names[i]) for i in places]
    matrix = np.asarray(found.matrix, dtype=np.float64)[np.ix_(places, places)]
    size, left = len(names) * _CELL, room(names)
    figure = sheet(left + size + 0.15, size + left + 0.15)
    axes = panel(figure, left, 0.1, size, size)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_axis_off()
    _colours(axes, matrix)
    _values(axes, matrix)
    for k, name in enumerate(names):
        write(axes, -0.62, k, name, ha="right", va="center")
        write(axes, k, -0.62, name, ha="center", va="bottom", rotation=90)
    return Drawing(figure, _caption(found), _alt(names, matrix))


def _colours(axes: Axes, matrix: Numbers) -> None:
    """One shape per shade: two thousand cells are a few paths."""
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    shade = LinearSegmentedColormap.from_list("likeness", list(_STOPS))
    steps = np.where(np.isfinite(matrix), np.round(np.clip(matrix, -1, 1) * _STEPS), np.nan)
    for step in np.unique(steps[np.isfinite(steps)]):
        cells = [box(j - 0.5, j + 0.5, i - 0.5, i + 0.5) for i, j in np.argwhere(steps == step)]
        colour = to_hex(shade(0.5 + 0.5 * step / _STEPS))
        shapes(axes, cells, f"shade-{int(step)}", fc=colour, ec="white", lw=0.6)


def _values(axes: Axes, matrix: Numbers) -> None:
    below_only = len(matrix) > 16
    for (i, j), value in np.ndenumerate(matrix):
        if i == j or (below_only and j > i):
            continue
        pale = abs(value) < 0.62 or not np.isfinite(value)
        write(
            axes,
            j,
            i,
            _cell(float(value)),
            ha="center",
            va="center",
            fontsize=8,
            color=INK if pale else "white",
        )


def _cell(value: float) -> str:
    """Two digits, as short as they go.

    >>> _cell(0.934), _cell(-0.5), _cell(1.0), _cell(float("nan"))
    ('.93', '−.50', '1', '–')
    """
    if not np.isfinite(value):
        return "–"
    text = f"{value:.2f}".replace("-0.", "−.").replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.0f}"
    return "0" if text in (".00", "−.00") else text.replace("-", "−")


def _caption(found: AgreementMatrix) -> str:
    many = " Values stand below the diagonal." if len(found.names) > 16 else ""
    return (
        f"Likeness of the maps ({kind(found.kind)}), mean over cases: 1 is the same map. Blue: alike; orange: opposite; –: "
        f"never compared. Methods that show the same lie side by side.{many}"
    )


def _alt(names: list[str], matrix: Numbers) -> str:
    upper = np.triu_indices(len(names), 1)
    values = matrix[upper]
    if not np.isfinite(values).any():
        return "Likeness of the methods' maps: none could be compared."
    best, least = int(np.nanargmax(values)), int(np.nanargmin(values))
    most_alike, least_alike = (f"{names[upper[0][k]]} and {names[upper[1][k]]}" for k in (best, least))
    return (
        f"Likeness of {len(names)} methods' maps; most alike: {most_alike} ({number(float(values[best]))}); "
        f"least alike: {least_alike} ({number(float(values[least]))})."
    )
