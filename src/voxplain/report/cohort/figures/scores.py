"""Outlier scores of all cases: a row each, those that are called in colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxplain.aggregate.cohort import Outliers
from voxplain.report.canvas import Drawing
from voxplain.report.cohort.page import Numbers
from voxplain.report.cohort.shown.words import listed
from voxplain.report.study.figures.compound import Point, segments
from voxplain.report.study.figures.sheet import (
    COLOURS,
    FAINT,
    INK,
    LINE,
    TEXT,
    panel,
    room,
    sheet,
    short,
    write,
)
from voxplain.report.study.words import count, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 60  # cases
_ROW, _WIDTH, _FOOT, _HEAD = 0.19, 4.2, 0.5, 0.1


def scores(outliers: Outliers, limits: Numbers, level: float) -> Drawing | None:
    """The highest case on top; none where no case has a score."""
    known = np.flatnonzero(~np.isnan(outliers.score).all(1))
    if not len(known):
        return None
    top = np.nanmax(outliers.score[known], axis=1)
    order = known[np.argsort(-top, kind="stable")][:MOST]
    names = [short(outliers.cases[c]) for c in order]
    left, height = room(names) + 0.05, len(order) * _ROW
    called = outliers.q <= level
    labels = [_called(outliers, called, int(c)) for c in order]
    figure = sheet(left + _WIDTH + 0.15 + max(room(labels), 0.1), height + _FOOT + _HEAD)
    axes = panel(figure, left, _FOOT, _WIDTH, height)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.set_yticks([])
    axes.grid(axis="x", color=LINE, lw=0.5)
    axes.set_axisbelow(True)
    ranges: list[list[Point]] = []
    quiet, loud = [], []
    for row, c in enumerate(order.tolist()):
        own = outliers.score[c]
        ranges.append([(float(np.nanmin(own)), float(row)), (float(np.nanmax(own)), float(row))])
        quiet += [(float(own[t]), row) for t in np.flatnonzero(~np.isnan(own) & ~called[c]).tolist()]
        loud += [(float(own[t]), row) for t in np.flatnonzero(called[c]).tolist()]
    segments(axes, ranges, "ranges", ec=LINE, lw=1.0, clip_on=False)
    if len(quiet) <= 1500:
        _dots(axes, quiet, "quiet", "|", FAINT)
    _dots(axes, loud, "called", "D", COLOURS[1])
    limit = limits[~np.isnan(limits)]
    axes.axvspan(float(limit.min()), float(limit.max()), color=COLOURS[1], alpha=0.18, lw=0)
    axes.axvline(float(np.median(limit)), color=COLOURS[1], lw=1.0, ls=(0, (3, 2)), gid="limit")
    for row, (name, label) in enumerate(zip(names, labels, strict=True)):
        where = axes.get_yaxis_transform()
        write(axes, -0.02, row, name, ha="right", va="center", transform=where)
        write(axes, 1.02, row, label, ha="left", va="center", transform=where, fontsize=8)
    axes.set_xlabel("outlier score, one mark per target", fontsize=TEXT, color=INK, labelpad=3)
    return Drawing(figure, _caption(len(known), len(order), level), _alt(outliers, order, top.max()))


def _dots(axes: Axes, points: list[tuple[float, int]], name: str, marker: str, colour: str) -> None:
    if points:
        x, y = zip(*points, strict=True)
        axes.plot(x, y, marker, ms=5, color=colour, ls="", gid=name, clip_on=False, mew=1.0)


def _called(outliers: Outliers, called: np.ndarray, c: int) -> str:
    order = np.argsort(-np.nan_to_num(outliers.score[c], nan=-np.inf), kind="stable")
    names = [outliers.targets[t] for t in order if called[c, t]]
    return short(listed(names, 2)) if names else ""


def _caption(cases: int, drawn: int, level: float) -> str:
    rest = f" The {drawn} highest of {count(cases, 'case')}." if drawn < cases else ""
    return (
        "Standard deviations from the middle of all cases’ distances from the typical composition of the target. Orange "
        f"diamonds: called outliers (q ≤ {level:g}, corrected over all cases and targets), beyond about the dashed line; "
        f"what is called is named at the right.{rest}"
    )


def _alt(outliers: Outliers, order: np.ndarray, top: float) -> str:
    told = [f"{outliers.cases[c]} {number(float(np.nanmax(outliers.score[c])), 2)}" for c in order]
    return f"Largest outlier score of every case, from {number(float(top), 2)} down: {listed(told, 10)}."
