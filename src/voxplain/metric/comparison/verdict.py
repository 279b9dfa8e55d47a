"""A plain word on every method, from rules that stand in one place."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from voxplain.metric.comparison.evidence import Beaten, Evidence, Randomised, Rounded, evidence
from voxplain.metric.comparison.rules import Rules
from voxplain.metric.comparison.table import Row, measured

Level = Literal["holds", "partly", "fails", "cannot tell"]
Here = Literal["holds", "partly", "fails", "nothing"]
NULLS = {"zero": "zeros", "random": "a random map", "edges": "edges"}


@dataclass(frozen=True)
class Verdict:
    """What the tests say of a method on this model.

    Attributes:
        text: one line for people.
        cases: the fewest that any of its tests had.
        reasons: one line per test.
        here: what is true of these cases alone, each read by itself, whether or not there are enough to say more:
            ``holds`` (better than its nulls on all faithfulness metrics), ``partly`` (on some), ``fails`` (on none, or
            by randomisation or rounding), ``nothing`` (not tested).
    """

    method: str
    level: Level
    text: str
    cases: int
    reasons: tuple[str, ...]
    here: Here


def verdicts(rows: Iterable[Row], rules: Rules | None = None) -> list[Verdict]:
    """A verdict per method, in order of appearance.

    Args:
        rows: a long table of several cases and metrics of one model.
        rules: see `voxplain.metric.comparison.rules`.

    Raises:
        InputError: several models.
    """
    rules = rules or Rules()
    found = evidence(measured(rows), rules)
    needed = rules.needed(sum(len(e.tests) for e in found))
    return [_verdict(e, needed, rules) for e in found]


def _verdict(found: Evidence, needed: int, rules: Rules) -> Verdict:
    reasons = [_told(t) for t in found.tests] + [_told_randomised(r, rules) for r in found.randomised]
    if found.rounded is not None:
        reasons.append(_told_rounded(found.rounded, rules))
    level, text = _judged(found, needed, rules)
    return Verdict(found.method, level, text, found.cases, tuple(reasons), _here(found, rules))


def _judged(found: Evidence, needed: int, rules: Rules) -> tuple[Level, str]:
    tests, randomised, cases = found.tests, found.randomised, found.cases
    if found.rounded is not None and found.rounded.fails:
        value = f"rounding_stability {found.rounded.mean:.2f} < {rules.stable:g}"
        return "fails", f"fails: its digits mean nothing ({value}, {_cases(found.rounded.cases)})"
    if not tests and not randomised:
        return "cannot tell", "cannot tell: no test of faithfulness or randomisation has a figure"
    if cases < needed:
        these, them = ("this case", "it") if cases == 1 else ("these cases", "them")
        beyond = f"cannot tell beyond {these} ({_cases(cases)}, {needed} are needed)"
        return "cannot tell", f"{beyond}; on {them}: {_described(found, rules)}"
    if failed := [r for r in randomised if r.status == "fails"]:
        worst = max(failed, key=lambda r: r.excess)
        why = f"{_likeness(worst, rules)}, {_cases(worst.cases)}"
        return "fails", f"fails randomisation on this model: do not trust ({why})"
    if not tests:
        return "cannot tell", f"cannot tell: not tested for faithfulness ({_cases(cases)})"
    better = [t for t in tests if t.better]
    if not better:
        return "fails", f"no better than {_closest(tests)} on faithfulness ({_cases(cases)})"
    open_ = [r.metric for r in randomised if r.status == "open"]
    if len(better) < len(tests) or open_:
        doubt = f"; randomisation is open ({', '.join(open_)})" if open_ else ""
        count = f"better than its nulls on {len(better)} of {len(tests)} faithfulness metrics"
        return "partly", f"{count} ({_cases(cases)}){doubt}"
    untested = "" if randomised else ", not tested by randomisation"
    return "holds", f"holds in these tests ({_cases(cases)}){untested}"


def _here(found: Evidence, rules: Rules) -> Here:
    if found.rounded is not None and found.rounded.fails:
        return "fails"
    if any(r.excess > rules.randomised for r in found.randomised):
        return "fails"
    if not found.tests:
        return "nothing"
    count = sum(t.here for t in found.tests)
    return "fails" if not count else "holds" if count == len(found.tests) else "partly"


def _described(found: Evidence, rules: Rules) -> str:
    """What is true of these cases, in words."""
    tests, parts = found.tests, []
    count = sum(t.here for t in tests)
    if count:
        parts.append(f"better than its nulls on {count} of {len(tests)} faithfulness metrics")
    else:
        parts.append(
            f"no better than {_closest(tests)} on faithfulness" if tests else "not tested for faithfulness"
        )
    for r in found.randomised:
        word = "fails" if r.excess > rules.randomised else "passes"
        parts.append(f"{word} randomisation ({_likeness(r, rules)})")
    if not found.randomised:
        parts.append("not tested by randomisation")
    return ", ".join(parts)


def _closest(tests: tuple[Beaten, ...]) -> str:
    """The null that stands for all: noise where it is as good by most metrics' means, else the one beaten least."""
    if 2 * sum("random" in t.worse for t in tests) > len(tests):
        return NULLS["random"]
    null = max(tests, key=lambda t: t.p).null
    return NULLS.get(null, null)


def _likeness(found: Randomised, rules: Rules) -> str:
    if math.isnan(found.gradient):
        sign = ">" if found.mean > rules.randomised else "≤"
        return f"{found.metric} {found.mean:.2f} {sign} {rules.randomised:g}"
    return f"likeness {found.mean:.2f} where the gradient has {found.gradient:.2f}"


def _told(test: Beaten) -> str:
    verb = "better than all its nulls" if test.better else f"no better than {NULLS.get(test.null, test.null)}"
    return f"{test.metric}: {verb} (corrected p {test.p:.2g}, {_cases(test.cases)})"


def _told_randomised(found: Randomised, rules: Rules) -> str:
    word = {"passes": "passes", "fails": "fails", "open": "open: its interval holds the limit"}[found.status]
    beside = "" if math.isnan(found.gradient) else f"excess {found.excess:.2f} over the gradient's, "
    return f"{found.metric}: {word} ({found.mean:.2f}, {beside}limit {rules.randomised:g}, {_cases(found.cases)})"


def _told_rounded(found: Rounded, rules: Rules) -> str:
    word = "fails" if found.fails else "passes" if found.mean >= rules.stable else "open"
    return f"rounding_stability: {word} ({found.mean:.2f}, limit {rules.stable:g}, {_cases(found.cases)})"


def _cases(count: int) -> str:
    return f"{count} case" + ("" if count == 1 else "s")
