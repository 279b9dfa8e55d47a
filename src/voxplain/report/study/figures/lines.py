"""Curves over the same points, their names beside them in the order of their heights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxplain.report.canvas import Drawing
from voxplain.report.study.figures.sheet import (
    COLOURS,
    DASHES,
    FAINT,
    INK,
    LINE,
    TEXT,
    flat,
    panel,
    room,
    sheet,
    short,
    write,
)
from voxplain.report.study.words import count, number, sentence

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from voxplain.report.study.page import Curve, CurveSet

_WIDTH, _HEIGHT, _ROW, _SWATCH = 4.2, 2.6, 0.165, 0.42
_LEFT, _FOOT, _HEAD = 0.62, 0.55, 0.12


def lines(found: CurveSet) -> Drawing:
    """Methods in colours and dashes, references in grey; the highest curve is named first."""
    styled = [(c, s) for c, s in zip(found.curves, _styles(found.curves), strict=True) if _known(c)]
    styled.sort(key=lambda item: -_mean(item[0]))
    known = [curve for curve, _ in styled]
    height = max(_HEIGHT, len(known) * _ROW)
    figure = sheet(_LEFT + _WIDTH + 0.22 + _SWATCH + room(map(_label, known)), height + _FOOT + _HEAD)
    axes = panel(figure, _LEFT, _FOOT, _WIDTH, height)
    axes.grid(axis="y", color=LINE, lw=0.5)
    axes.set_axisbelow(True)
    for n, (curve, style) in enumerate(styled):
        marker = "." if np.isfinite(curve.values).sum() == 1 else None
        axes.plot(range(len(curve.values)), curve.values, gid=f"curve-{n}", marker=marker, **style)
    _axes(axes, found)
    _legend(axes, styled, height)
    return Drawing(figure, _caption(found, known), _alt(found, known))


def _axes(axes: Axes, found: CurveSet) -> None:
    names = [flat(point) for point in found.points]
    last = len(names) - 1
    axes.set_xlim(-0.02 * max(last, 1), max(last, 1))
    step = max(1, -(-len(names) * room(names) // _WIDTH))  # as many as do not touch
    places = list(range(last, -1, -int(step)))[::-1]
    axes.set_xticks(places)
    axes.set_xticklabels([names[k] for k in places], parse_math=False)
    axes.set_xlabel(flat(found.x), fontsize=TEXT, color=INK, parse_math=False)
    axes.set_ylabel(flat(found.y), fontsize=TEXT, color=INK, parse_math=False)
    axes.ticklabel_format(axis="y", useOffset=False)


def _legend(axes: Axes, styled: Sequence[tuple[Curve, dict[str, Any]]], height: float) -> None:
    """Names to the right, each with a piece of its line: ends often meet, so that they cannot carry the names."""
    start, stop, name = (1 + inches / _WIDTH for inches in (0.15, 0.15 + _SWATCH, 0.22 + _SWATCH))
    for row, (curve, style) in enumerate(styled):
        y = 1 - (row + 0.5) * _ROW / height
        axes.plot([start, stop], [y, y], transform=axes.transAxes, clip_on=False, **style)
        write(axes, name, y, _label(curve), ha="left", va="center", transform=axes.transAxes)


def _styles(curves: Sequence[Curve]) -> list[dict[str, Any]]:
    """By the order in which curves are given, so that a method looks the same in all figures."""
    made: list[dict[str, Any]] = []
    methods = nulls = 0
    for curve in curves:
        if curve.null:
            made.append({"color": FAINT, "ls": DASHES[1 + nulls % 3], "lw": 2.2})
            nulls += 1
        else:
            round_ = methods // len(COLOURS)
            width = 1.3 if round_ < len(DASHES) else 2.4
            dash = DASHES[round_ % len(DASHES)]
            made.append({"color": COLOURS[methods % len(COLOURS)], "ls": dash, "lw": width})
            methods += 1
    return made


def _label(curve: Curve) -> str:
    """The mean first, so that a long name does not cost it."""
    height = f"{_mean(curve):.2f}".replace("-", "−")
    return f"{height}  {'reference: ' if curve.null else ''}{short(curve.name)}"


def _known(curve: Curve) -> bool:
    return bool(np.isfinite(curve.values).any())


def _mean(curve: Curve) -> float:
    return float(np.nanmean(np.asarray(curve.values, dtype=np.float64)))


def _caption(found: CurveSet, known: Sequence[Curve]) -> str:
    lost = len(found.curves) - len(known)
    left_out = f" {count(lost, 'curve')} without a figure left out." if lost else ""
    reads = sentence(found.reads) + " " if found.reads else ""
    return (
        f"{reads}Means over cases; grey: references. The number before a name is the mean height of its curve, the highest "
        f"first.{left_out}"
    )


def _alt(found: CurveSet, known: Sequence[Curve]) -> str:
    told = [f"{c.name} {number(_mean(c), 2)}" for c in known]
    shown = told if len(told) <= 16 else [*told[:6], "…", *told[-6:]]
    return f"{found.title}: {found.y} over {found.x}. Mean heights: {', '.join(shown) or 'none'}."
