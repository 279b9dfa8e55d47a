"""The strongest relations with what is known of the cases, a panel each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from voxplain.aggregate.cohort import Metadata
from voxplain.report.canvas import Drawing
from voxplain.report.cohort.shown.relations import Relation
from voxplain.report.study.figures.sheet import COLOURS, FAINT, INK, LINE, panel, sheet, short, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIDE, _LEFT, _FOOT, _HEAD, _ACROSS = 1.75, 0.62, 0.52, 0.56, 3


def scatter(relations: Sequence[Relation], metadata: Metadata) -> Drawing:
    """Three to a row."""
    rows = -(-len(relations) // _ACROSS)
    wide, tall = _LEFT + _SIDE + 0.2, _HEAD + _SIDE + _FOOT
    figure = sheet(wide * min(len(relations), _ACROSS), tall * rows)
    for k, relation in enumerate(relations):
        i, j = divmod(k, _ACROSS)
        axes = panel(figure, j * wide + _LEFT, (rows - 1 - i) * tall + _FOOT, _SIDE, _SIDE)
        _draw(axes, relation, metadata, k)
    told = "; ".join(f"{r.name} with {r.column}: {r.told}" for r in relations)
    caption = "The surest relations, a dot per case. Filled: survives the correction over the whole table; hollow: not."
    return Drawing(figure, caption, f"Scatter plots: {told}.")


def _draw(axes: Axes, relation: Relation, metadata: Metadata, k: int) -> None:
    column = metadata.column(relation.column)
    y = relation.values
    if column.numbers is not None:
        x = column.numbers
    else:
        kinds = column.categories
        x = np.array([np.nan if v is None else float(kinds.index(v)) for v in column.labels])
        axes.set_xticks(range(len(kinds)), labels=[short(c, 8) for c in kinds])
        axes.set_xlim(-0.5, len(kinds) - 0.5)
    known = ~np.isnan(x) & ~np.isnan(y)
    fill = COLOURS[0] if relation.found else "none"
    axes.grid(color=LINE, lw=0.4)
    axes.set_axisbelow(True)
    axes.plot(
        x[known],
        y[known],
        "o",
        ms=4.5,
        mfc=fill,
        mec=COLOURS[0],
        mew=1.0,
        ls="",
        alpha=0.85,
        gid=f"cases-{k}",
    )
    axes.locator_params(axis="y", nbins=5)
    if column.numbers is not None:
        axes.locator_params(axis="x", nbins=4)
        axes.ticklabel_format(useOffset=False)
    axes.set_xlabel(short(relation.column, 26), fontsize=8.5, color=INK, labelpad=2, parse_math=False)
    where = {"transform": axes.transAxes, "ha": "left", "va": "bottom"}
    left = -(_LEFT - 0.08) / _SIDE
    write(axes, left, 1 + 0.3 / _SIDE, short(relation.name, 36), **where, fontsize=8.5)
    write(axes, left, 1 + 0.1 / _SIDE, relation.told, **where, fontsize=8, color=FAINT)
