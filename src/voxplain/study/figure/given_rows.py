"""Rows of attributions that are in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from voxplain.errors import InputError
from voxplain.report.figure import FigureRow
from voxplain.study.explaining.prediction import class_mask
from voxplain.study.figure.asked import Asked, Rows, pick
from voxplain.study.volumes import ground_of

if TYPE_CHECKING:
    from voxplain.attribution import Attribution

_HAVE_MAPS = ("ok", "zero")


def given_rows(given: Sequence[Attribution], asked: Asked) -> Rows:
    """Cases × targets, a column per method; of the same case and method twice, numbered.

    Raises:
        InputError: nothing was given, or a name that is not there.
    """
    if not given:
        raise InputError("figure: no attributions; at least one is needed")
    cases = pick("what was given", "case", asked.cases, (a.problem.case.id for a in given))
    numbered = _numbered(given)
    methods = pick("what was given", "method", asked.methods, (name for name, _ in numbered))
    targets = pick(
        "what was given", "target", asked.targets, (x.target.name for a in given for x in a.answers)
    )
    found = Rows([], [asked.name(m) for m in methods], [])
    for case in cases:
        mine = {name: a for name, a in numbered if a.problem.case.id == case and name in methods}
        for target in targets:
            row = _row(
                mine,
                target,
                asked,
                asked.row(case, target, (len(cases) > 1, len(targets) > 1)),
                found.without,
            )
            if row is not None:
                found.rows.append(row)
    return found


def _numbered(given: Sequence[Attribution]) -> list[tuple[str, Attribution]]:
    counts: dict[tuple[str, str], int] = {}
    out = []
    for one in given:
        key = one.problem.case.id, one.method
        counts[key] = counts.get(key, 0) + 1
        out.append((one.method if counts[key] == 1 else f"{one.method}-{counts[key]}", one))
    return out


def _row(
    mine: dict[str, Attribution], target: str, asked: Asked, name: str, without: list[str]
) -> FigureRow | None:
    maps: dict[str, Any] = {}
    units, last = {}, None
    for method, one in mine.items():
        answer = next((a for a in one.answers if a.target.name == target), None)
        if answer is None or answer.status not in _HAVE_MAPS:
            without.append(f"{method} of {target} ({'not asked' if answer is None else answer.status})")
            continue
        maps[asked.name(method)] = one.map(target)
        units[asked.name(method)], last = one.unit, (one.problem, answer.target)
    if last is None:
        return None
    problem, about = last
    names = {1: asked.name("prediction")}
    mask = class_mask(problem, about.class_index)
    return FigureRow(
        name, ground_of(problem.case, []), maps, problem.case.geometry, mask, None, names, None, 1, units
    )
