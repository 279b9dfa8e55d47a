"""Whether to believe a method's maps: one light, the tests behind it, and what was not tested."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxplain.metric.comparison.evidence import ROUNDING, Evidence, evidence
from voxplain.metric.comparison.rules import Rules
from voxplain.metric.comparison.table import by_case
from voxplain.metric.metric import IN_WORDS
from voxplain.report.findings import check_finding
from voxplain.report.page import Level

if TYPE_CHECKING:
    from voxplain.metric.comparison import Verdict
    from voxplain.metric.comparison.evidence import Beaten, Randomised

Row = Mapping[str, Any]
AGREEMENT = "mean_agreement"
RANDOMISED = "this map does not change when the model's weights are randomised: do not trust it"
HARDLY = "this map changes too little when the model's weights are randomised: do not trust it"
REFERENCE = (
    "much of this map is there with other weights, too; others are compared with it, so this is no verdict"
)
SAME = 0.95  # likeness from which a map does not change
FAITHFUL = "removing what the map calls important costs more than with maps that know nothing of the model"
UNFAITHFUL = "the map may not show what the model uses"
OUTSIDE_SHARE = 0.05  # of a map beside the patient, above which it is said
STEADY = 0.9  # correlation with the map of the rounded image from which nothing is to be said
_NULLS = {
    "zero": "zeros",
    "random": "random map",
    "edges": "edges",
    "constant": "constant map",
    "gradient": "beside them, the plain gradient",
}
_WORST: tuple[Level, ...] = ("bad", "warn", "good", "info")


@dataclass(frozen=True)
class Check:
    """One test of a method's maps.

    Attributes:
        kind: of the panel's rows, such as ``randomisation``.
        value, nulls: as text; of maps that know nothing of the network.
        level: ``info`` where it decides nothing.
        reason: what it means, in words.
        measured: whether there is a figure at all.
    """

    kind: str
    name: str
    value: str = ""
    nulls: str = ""
    level: Level = "info"
    reason: str = ""
    measured: bool = True


@dataclass(frozen=True)
class Trust:
    """A method's panel; ``level`` and ``text`` are its light and the reason for it."""

    method: str
    level: Level
    text: str
    checks: tuple[Check, ...]
    scope: str = ""

    @property
    def missing(self) -> tuple[Check, ...]:
        """What was not measured."""
        return tuple(c for c in self.checks if not c.measured)


@dataclass(frozen=True)
class Asked:
    """What the panels of a page rest on.

    Attributes:
        how: how to measure what was not, as ``run again with --metrics quick``.
        checks: method -> numbers that came with its maps, such as ``completeness_gap``: one per case and target.
        outside: method -> (share of the map, share of the image) outside of the body.
    """

    how: str
    checks: Mapping[str, Mapping[str, Sequence[float]]]
    outside: Mapping[str, tuple[float, float]]


def panels(
    methods: Sequence[str],
    rows: Sequence[Row],
    asked: Asked,
    *,
    rules: Rules | None = None,
    verdicts: Sequence[Verdict] = (),
) -> tuple[Trust, ...]:
    """A panel per method.

    Args:
        rows: the long table of metrics, of one model.
        rules: by which verdicts are made; the panel's limits are the same.
        verdicts: over several cases, where there are any: a panel is no better than they are.
    """
    used = rules or Rules()
    found = {e.method: e for e in evidence(rows, used)} if rows else {}
    told = {v.method: v for v in verdicts}
    needed = used.needed(sum(len(e.tests) for e in found.values()))
    out = []
    for method in methods:
        own = [r for r in rows if r["method"] == method]
        checks = tuple(_checks(method, own, found.get(method), asked, used, needed))
        out.append(_judged(method, checks, found.get(method), told.get(method), needed, asked.how))
    return tuple(out)


def _judged(
    method: str,
    checks: tuple[Check, ...],
    found: Evidence | None,
    verdict: Verdict | None,
    needed: int,
    how: str,
) -> Trust:
    measured = [c for c in checks if c.measured and c.level != "info"]
    cases = found.cases if found is not None else 0
    scope = f"on {_count(cases, 'case')}" if cases else ""
    for level in ("bad", "warn"):
        worst = [c for c in measured if c.level == level]
        if worst:
            return Trust(method, level, worst[0].reason, checks, scope)
        if verdict is not None and verdict.level == "fails":  # no test alone, but over the cases
            return Trust(method, "bad", verdict.text, checks, scope)
    passed = {c.kind for c in measured if c.level == "good"}
    lacking = [name for name in ("randomisation", "faithfulness") if name not in passed]
    if lacking:
        whys = dict.fromkeys(c.reason for c in checks if c.kind in lacking and c.reason != how)
        why = f" ({'; '.join(whys)})" if whys else ""
        return Trust(method, "info", f"cannot tell: {' and '.join(lacking)} not measured{why}", checks, scope)
    text = "changes with the model's weights, and removals cost what it says"
    if verdict is not None and verdict.level == "cannot tell":
        told = f"{text}, on {_count(cases, 'case')} alone; {needed} are needed to say more"
        return Trust(method, "info", told, checks, scope)
    if verdict is not None and verdict.level != "holds":
        return Trust(method, "warn", verdict.text, checks, scope)
    alone = "" if cases >= needed else f" (on {_count(cases, 'case')} alone)"
    return Trust(method, "good", f"{text}{alone}", checks, scope)


def _checks(
    method: str, rows: Sequence[Row], found: Evidence | None, asked: Asked, rules: Rules, needed: int
) -> Iterable[Check]:
    """In the order in which they count: of two faults the first is the reason."""
    known = asked.checks.get(method, {})
    yield from _randomisation(rows, found, asked, rules)
    yield from _faithfulness(rows, found, asked, needed)
    yield from _repeatability(rows, found, known, asked, rules)
    yield _completeness(known)
    yield _outside(asked.outside.get(method))
    yield _agreement(rows)


def _randomisation(
    rows: Sequence[Row], found: Evidence | None, asked: Asked, rules: Rules
) -> Iterable[Check]:
    tested = found.randomised if found is not None else ()
    if not tested:
        why = _why(rows, "mprt_absolute")
        yield _unmeasured("randomisation", "Randomised weights", why or asked.how)
    for one in tested:
        level, reason = _of_randomised(one, rules)
        beside = _nulls([r for r in rows if r["metric"] == one.metric])
        value = f"likeness {_number(one.mean)}"
        yield Check("randomisation", "Randomised weights", value, beside, level, reason)


def _of_randomised(found: Randomised, rules: Rules) -> tuple[Level, str]:
    one = found.cases == 1
    if found.status == "fails" or (one and found.excess > rules.randomised):
        return "bad", RANDOMISED if found.mean >= SAME else HARDLY
    if found.mean == found.gradient and found.mean >= rules.randomised:  # it cannot fail against itself
        return "warn", REFERENCE
    if found.status == "passes" or one:
        return "good", "the map changes when the model's weights are randomised, as it must"
    return "warn", "open: over these cases the map may or may not change with the model's weights"


def _faithfulness(rows: Sequence[Row], found: Evidence | None, asked: Asked, needed: int) -> Iterable[Check]:
    tests = found.tests if found is not None else ()
    if not tests:
        whys = [str(r["note"]) for r in rows if r.get("family") == "faithfulness" and r["note"]]
        yield _unmeasured("faithfulness", "Faithfulness", whys[0] if whys else asked.how)
        return
    own = [[r for r in rows if r["metric"] == test.metric] for test in tests]
    judged = [
        _over_cases(test) if test.cases >= needed else _here(listed)
        for test, listed in zip(tests, own, strict=True)
    ]
    passed = any(level == "good" for level, _ in judged)
    for test, listed, (level, reason) in zip(tests, own, judged, strict=True):
        # one metric that holds makes a fault of another a doubt
        shown: Level = "warn" if level == "bad" and passed else level
        name = test.metric.replace("_", " ")
        yield Check("faithfulness", name, _mean(listed), _nulls(listed), shown, reason)


def _over_cases(test: Beaten) -> tuple[Level, str]:
    """By the test over cases."""
    if test.better:
        return "good", FAITHFUL
    if test.worse:
        return "bad", f"no better than {_listed(test.worse)}: {UNFAITHFUL}"
    return "warn", f"not told apart from {_listed([test.null])} over these cases"


def _here(rows: Sequence[Row]) -> tuple[Level, str]:
    """By each figure's own interval: on so few cases there is no test over them."""
    known = [r for r in rows if r.get("tells") in (True, False)]
    if not known:
        return "info", "there is nothing to compare it with"
    beaten = [r for r in known if r["tells"]]
    if len(beaten) == len(known):
        return "good", FAITHFUL
    lost = dict.fromkeys(null for r in known if not r["tells"] for null in _as_good(r))
    held = f"better than maps that know nothing for {len(beaten)} of {len(known)} maps; for the others "
    if lost:
        why = f"no better than {_listed(lost)}: {UNFAITHFUL}"
        return ("warn", held + why) if beaten else ("bad", why)
    alone = "better than maps that know nothing, but "
    return "warn", f"{held if beaten else alone}not by more than chance explains: more draws would tell"


def _as_good(row: Row) -> list[str]:
    """Nulls whose own figure is as good."""
    sign = 1.0 if row["better"] == "higher" else -1.0
    nulls = {key.removeprefix("null_"): row[key] for key in row if key.startswith("null_")}
    return [
        n for n, v in nulls.items() if n != "gradient" and math.isfinite(v) and sign * (row["value"] - v) <= 0
    ]


def _listed(nulls: Iterable[str]) -> str:
    return " or ".join(IN_WORDS.get(null, null) for null in nulls)


def _repeatability(
    rows: Sequence[Row],
    found: Evidence | None,
    known: Mapping[str, Sequence[float]],
    asked: Asked,
    rules: Rules,
) -> Iterable[Check]:
    rounded = found.rounded if found is not None else None
    halves = _finite(known.get("agreement", ()))
    if rounded is not None:
        level: Level = "bad" if rounded.fails else "good" if rounded.mean >= STEADY else "warn"
        reason = {
            "bad": "the map changes when the image is rounded by what no eye sees: its digits mean nothing",
            "warn": f"the map changes somewhat when the image is rounded (below {STEADY:g})",
            "good": "the map stays as it is when the image is rounded by what no eye sees",
        }[level]
        beside = _nulls([r for r in rows if r["metric"] == ROUNDING])
        yield Check(
            "repeatability",
            "Rounding of the image",
            f"correlation {_number(rounded.mean)}",
            beside,
            level,
            reason,
        )
    if halves:
        judged = check_finding("agreement", float(np.mean(halves)))
        reason = "how alike two maps are, each of one half of the random draws"
        if judged.level != "good":
            reason += ": more draws are needed"
        yield Check("repeatability", "Two halves of the draws", judged.value, "", judged.level, reason)
    if rounded is None and not halves:
        yield _unmeasured("repeatability", "Repeatability", _why(rows, ROUNDING) or asked.how)


def _completeness(known: Mapping[str, Sequence[float]]) -> Check:
    gaps = _finite(known.get("completeness_gap", ()))
    if not gaps:
        return _unmeasured(
            "completeness", "Completeness", "this method does not claim to add up to the score"
        )
    judged = check_finding("completeness_gap", float(np.mean(np.abs(gaps))))
    reason = {
        "good": "the map adds up to the score that it explains",
        "warn": "the map adds up to the score only roughly: more steps would help",
        "bad": "the map does not add up to the score that it explains: a part of it is missing",
    }.get(judged.level, judged.text)
    return Check("completeness", "Completeness", f"gap {judged.value}", "", judged.level, reason)


def _outside(found: tuple[float, float] | None) -> Check:
    name = "Outside the body"
    if found is None:
        return _unmeasured("outside", name, "no body stands out in this image; none is sought in pictures")
    share, volume = found
    value = f"{100 * share:.1f} % of the map"
    beside = f"evenly spread map {100 * volume:.0f} %"
    if share <= OUTSIDE_SHARE:
        return Check("outside", name, value, beside, "good", "the map lies in the body")
    more = share >= volume
    reason = (
        "the map does not prefer the body to what is beside it"
        if more
        else "a part of the map lies where nothing of the patient is"
    )
    return Check("outside", name, value, beside, "warn", f"{reason}: noise, or a shortcut of the model")


def _agreement(rows: Sequence[Row]) -> Check:
    own = [r for r in rows if r["metric"] == AGREEMENT and math.isfinite(r["value"])]
    if not own:
        return _unmeasured(
            "agreement", "Other methods", "needs several methods and the metric mean_agreement"
        )
    reason = "how alike the other methods' maps are; agreement is no proof, since methods may share a fault"
    return Check("agreement", "Other methods", _mean(own), _nulls(own), "info", reason)


def _unmeasured(kind: str, name: str, how: str) -> Check:
    return Check(kind, name, "not measured", "", "info", how, measured=False)


def _why(rows: Sequence[Row], metric: str) -> str:
    """Why a metric that was asked for has no figure."""
    notes = [str(r["note"]) for r in rows if r["metric"] == metric and r["note"]]
    return notes[0] if notes else ""


def _mean(rows: Sequence[Row]) -> str:
    values = by_case((r["case"], r["value"]) for r in rows)
    return _number(values.mean()) if len(values) else "–"


def _nulls(rows: Sequence[Row]) -> str:
    """Means of the nulls over cases."""
    names = dict.fromkeys(key for r in rows for key in r if key.startswith("null_"))
    told = []
    for key in names:
        values = by_case((r["case"], r[key]) for r in rows if key in r)
        if len(values):
            name = key.removeprefix("null_")
            told.append(f"{_NULLS.get(name, name)} {_number(values.mean())}")
    return ", ".join(told)


def _finite(values: Iterable[float]) -> list[float]:
    return [v for v in values if v is not None and math.isfinite(v)]


def _number(value: float) -> str:
    """Two digits, the true minus, and no minus zero.

    >>> _number(-0.004), _number(-0.333)
    ('0.00', '−0.33')
    """
    return f"{value + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−")


def _count(amount: int, noun: str) -> str:
    return f"{amount} {noun}" + ("" if amount == 1 else "s")
