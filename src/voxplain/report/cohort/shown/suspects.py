"""Entries that differ between groups of cases: what a network may have learned at one site only."""

from __future__ import annotations

import numpy as np

from voxplain.aggregate.cohort import false_discovery
from voxplain.report.cohort.page import Groups
from voxplain.report.cohort.shown.compared import Compared, compared, correction
from voxplain.report.cohort.shown.lines import Findings, Line, cut, none
from voxplain.report.cohort.shown.words import equal, interval, listed, whose
from voxplain.report.study.words import count, number

FEWEST = 3  # targets of which a common difference is told once


def suspects(groups: Groups, left_out: tuple[str, ...], level: float) -> Findings:
    """First what beats the nulls where there is more, then what most targets share, then what only differs."""
    c, column = groups.comparison, groups.column
    title = f"Shortcut suspects: {column}"
    by = correction(c, level)
    rows = compared(groups, left_out, level, None)
    common = shared(rows)
    single = [r for r in rows if r.called and not any(r in found for found in common)]
    # What beats the nulls where there is more comes first, large differences before small ones: shares add up to 1, so that
    # others shrink a little when one grows.
    single.sort(key=lambda r: (r.beats is not True, -abs(r.difference)))
    clear = [r for r in single if r.beats is not False]
    lines = [Line("warn", "differs", difference(r, column, by.name)) for r in clear]
    lines += [Line("info", "region", _common(found, rows, column, by.name)) for found in common]
    lines += [Line("info", "differs", difference(r, column, by.name)) for r in single if r.beats is False]
    lines += _presence(groups, level)
    if lines:
        return cut(title, lines)
    if not by.possible or not rows:
        return none(title, "cannot tell", c.note or "no entry could be compared")
    sizes = listed([f"{name} ({size})" for name, size in zip(c.groups, c.sizes, strict=True)], 8)
    text = (
        f"nothing found: no entry differs between {sizes}; {count(len(rows), 'test')}, smallest "
        f"{equal(by.name, rows[0].corrected)}"
    )
    return none(title, "nothing", text)


def shared(rows: tuple[Compared, ...]) -> list[tuple[Compared, ...]]:
    """Called entries of one region that go the same way in most targets, three at least; that of most targets first."""
    asked: dict[str, int] = {}
    found: dict[tuple[str, str, str], list[Compared]] = {}
    for row in rows:
        asked[row.region] = asked.get(row.region, 0) + 1
        if row.called:
            less = row.first if row.more == row.second else row.second
            found.setdefault((row.region, row.more, less), []).append(row)
    common = [
        tuple(sorted(own, key=lambda r: -abs(r.difference)))
        for (region, *_), own in found.items()
        if len(own) >= FEWEST and 2 * len(own) > asked[region]
    ]
    return sorted(common, key=lambda own: (-len(own), own[0].region))


def _common(found: tuple[Compared, ...], rows: tuple[Compared, ...], column: str, by: str) -> str:
    most = found[0]
    less = most.first if most.more == most.second else most.second
    asked = sum(r.region == most.region for r in rows)
    return (
        f"{len(found)} of {count(asked, 'target')} depend more on {most.region} in {most.more} than in {less} ({column}): "
        f"{listed([r.target for r in found], 6)}. So the region itself differs between them, whatever the target; most for "
        f"{most.target}, {number(2 ** abs(most.difference), 2)} times as much ({equal(by, most.corrected)})"
    )


def difference(row: Compared, column: str, by: str) -> str:
    """An entry that differs, as a sentence."""
    region = "itself" if row.region == row.target else row.region
    told = [f"{number(2**row.difference, 2)} times as much"]
    if interval(row.low, row.high):
        told.append(f"log₂ {number(row.difference, 2)}, {interval(row.low, row.high)}")
    if np.isfinite(row.size):
        told.append(f"g = {number(row.size, 2)}")
    within = ""
    if row.beats is not None:
        more = "more" if row.beats else "not more"
        within = f"; in {row.more} alone {more} than the nulls expect ({equal('p', row.alone)})"
    return (
        f"{whose(row.target)} dependence on {region} differs between {row.first} and {row.second} ({column}): "
        f"{'more' if row.difference > 0 else 'less'} in {row.second}, {'; '.join(told)}; {equal('p', row.p)}, "
        f"{equal(by, row.corrected)}{within}"
    )


def _presence(groups: Groups, level: float) -> list[Line]:
    c = groups.comparison
    q = false_discovery(c.presence_p)
    return [
        Line(
            "info",
            "presence",
            f"who has {c.regions[r]} at all differs by {groups.column} ({equal('q', float(q[r]))})",
        )
        for r in np.flatnonzero(q <= level).tolist()
    ]
