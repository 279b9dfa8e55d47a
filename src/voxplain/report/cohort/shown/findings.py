"""What was found, in plain words, each with its number and its test; and plainly what was not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voxplain.aggregate.cohort.networks import WEIGHTS
from voxplain.report.cohort.page import Lens
from voxplain.report.cohort.shown.entries import Entry, own, strongest
from voxplain.report.cohort.shown.lines import Findings, Line, cut, none
from voxplain.report.cohort.shown.of_cases import missing_regions, outlier_cases, relations
from voxplain.report.cohort.shown.suspects import suspects
from voxplain.report.cohort.shown.words import depends, equal, interval, listed, share
from voxplain.report.study.words import count, number


def findings(lens: Lens, level: float, divisions: Sequence[Lens] = ()) -> tuple[Findings, ...]:
    """All kinds, each with at least one line.

    Args:
        divisions: lenses over the partitions whose missing regions are told; this one's alone by default.
    """
    made = [_dependences(lens), *(suspects(g, lens.left_out, level) for g in lens.groups)]
    if not lens.groups:
        made.append(none("Shortcut suspects", "not asked", "no groups of cases were compared"))
    made += [outlier_cases(lens, level), missing_regions(divisions or (lens,)), relations(lens, level)]
    return tuple(made)


def _dependences(lens: Lens) -> Findings:
    title = "What depends on what"
    cases = int(lens.mass.answered.any(1).sum())
    if lens.beaten is None:
        return none(
            title, "not tested", "there is no null to compare with; the figures below show plain shares"
        )
    if not lens.tested:
        why = (
            lens.beaten.note if cases > 1 else "one case: no distribution, so nothing can be told from chance"
        )
        return none(title, "cannot tell", f"{why}. The figures show what was measured, untested")
    lines = [Line("info", "depends", _dependence(e)) for e in strongest(lens)]
    if not lines:
        told = (
            f"nothing found: no dependence of a target on another region beats {listed(lens.beaten.nulls)} in "
            f"{count(cases, 'case')}"
        )
        lines = [Line("info", "nothing", told + _power(lens, cases))]
    if WEIGHTS not in lens.beaten.nulls:
        lines.append(
            Line(
                "warn",
                "weights",
                f"no networks with {WEIGHTS} were asked: an untrained network may give the same",
            )
        )
    found = cut(title, lines)
    alone = _alone(lens)
    return Findings(found.title, (*found.lines, *alone), found.more)


def _power(lens: Lens, cases: int) -> str:
    """What so few cases could not have found."""
    assert lens.beaten is not None
    own = np.array([[t == r for r in lens.mass.regions] for t in lens.mass.targets])
    tests = int((~np.isnan(lens.beaten.p) & ~own).sum())
    if not tests or lens.beaten.least * tests <= lens.beaten.level:
        return ""
    needed = int(np.ceil(np.log2(tests / lens.beaten.level)))
    return (
        f"; but {count(cases, 'case')} can hardly tell: a single dependence among {tests} entries would need {needed} "
        "cases to be called"
    )


def _dependence(e: Entry) -> str:
    told = [f"density {number(e.density, 2)}"] if np.isfinite(e.density) else []
    if np.isfinite(e.density) and interval(e.low, e.high):
        told[0] += f" ({interval(e.low, e.high)})"
    told.append(f"{share(e.share)} of its attribution")
    return (
        f"{depends(e.target, e.region)}: {', '.join(told)}; beats {listed(e.nulls)}, {e.hardest} least "
        f"({equal('q', e.q)}, {count(e.n, 'case')})"
    )


def _alone(lens: Lens) -> list[Line]:
    """Targets and themselves: that they do is expected, that one does not is a finding."""
    told = [e for e in own(lens) if e.beats is not None]
    if not told:
        return []
    not_own = [e.target for e in told if not e.beats]
    alone = len(told) - len(not_own)
    text = f"{alone} of {count(len(told), 'target')} depend on their own region more than its size alone explains"
    if not not_own:
        return [Line("info", "itself", text)]
    return [Line("warn", "itself", f"{text}; not: {listed(not_own, 8)}")]
