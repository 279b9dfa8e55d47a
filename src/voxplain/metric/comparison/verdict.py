"""A plain word on every method, from rules that stand in one place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from voxplain.errors import InputError
from voxplain.metric.comparison.compare import t_interval
from voxplain.metric.comparison.paired import holm, signed_rank
from voxplain.metric.comparison.table import Row, by_case, of_metric

Level = Literal["holds", "partly", "fails", "cannot tell"]
RANDOMISATION = "mprt_absolute"
Status = Literal["passes", "fails", "open"]
NULLS = {"zero": "zeros", "random": "a random map", "edges": "edges"}


@dataclass(frozen=True)
class Rules:
    """What a verdict is read from.

    1. Fewer than ``least_cases``, or so few that no outcome could be significant: nothing can be told.
    2. ``mprt_absolute`` (likeness to the maps of networks with random weights) whose mean lies above ``randomised`` with
       its whole 95 % interval: fails. Below it with its whole interval: passes. Else open. The other randomisation
       metrics have no such limit: signed likeness may be −1 for a map that only turned its sign, and SSIM is close to 1
       wherever most of an image is background.
    3. On every faithfulness metric with a direction the map is tested against each of its nulls, over cases, by
       one-sided signed ranks; it is better where it beats all of them (the largest p counts), at level ``alpha`` after
       Holm's correction over all methods and metrics. Better on none: no better than the null. On some: partly.
       On all, and randomisation passed or not tested: holds in these tests.

    Attributes:
        least_cases: 6 is the least from which a two-sided signed-rank test can reach 0.05 at all.
    """

    alpha: float = 0.05
    least_cases: int = 6
    randomised: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise InputError(f"rules: found alpha={self.alpha}, expected a level between 0 and 1")
        if self.least_cases < 2:
            raise InputError(f"rules: found least_cases={self.least_cases}, expected at least 2")

    def needed(self, tests: int) -> int:
        """Cases from which the smallest one-sided p, 2⁻ⁿ, passes Holm's first step."""
        return max(self.least_cases, math.ceil(math.log2(max(tests, 1) / self.alpha)))


@dataclass(frozen=True)
class Verdict:
    """What the tests say of a method on this model.

    Attributes:
        text: one line for people.
        cases: the fewest that any of its tests had.
        reasons: one line per test.
    """

    method: str
    level: Level
    text: str
    cases: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Beaten:
    """A method's test against a metric's nulls: the one that it beats least."""

    method: str
    metric: str
    null: str
    p: float
    cases: int
    better: bool = False


@dataclass(frozen=True)
class _Randomised:
    metric: str
    mean: float
    cases: int
    status: Status


def verdicts(rows: Iterable[Row], rules: Rules | None = None) -> list[Verdict]:
    """A verdict per method, in order of appearance.

    Args:
        rows: a long table of several cases and metrics of one model.

    Raises:
        InputError: several models.
    """
    rows, rules = list(rows), rules or Rules()
    methods = list(dict.fromkeys(r["method"] for r in rows))
    tests = [t for metric in _metrics(rows, "faithfulness") for t in _against_nulls(rows, metric, methods)]
    adjusted = holm([t.p for t in tests])
    tests = [
        _Beaten(t.method, t.metric, t.null, float(p), t.cases, bool(p <= rules.alpha))
        for t, p in zip(tests, adjusted, strict=True)
    ]
    needed = rules.needed(len(tests))
    return [
        _verdict(m, [t for t in tests if t.method == m], _randomised(rows, m, rules), needed, rules)
        for m in methods
    ]


def _metrics(rows: Sequence[Row], family: str) -> list[str]:
    found = dict.fromkeys(r["metric"] for r in rows if r["family"] == family and r["better"] != "neither")
    return list(found)


def _against_nulls(rows: Sequence[Row], metric: str, methods: Sequence[str]) -> list[_Beaten]:
    chosen = of_metric(rows, metric)
    sign = 1.0 if chosen[0]["better"] == "higher" else -1.0
    nulls = dict.fromkeys(key for r in chosen for key in r if key.startswith("null_"))
    out = []
    for method in methods:
        found = []
        for null in nulls:
            own = [r for r in chosen if r["method"] == method and null in r]
            gains = by_case((r["case"], sign * (r["value"] - r[null])) for r in own)
            if len(gains):
                p = signed_rank(gains, "greater")
                found.append(_Beaten(method, metric, null.removeprefix("null_"), p, len(gains)))
        if found:
            least = max(found, key=lambda t: t.p)
            out.append(_Beaten(method, metric, least.null, least.p, min(t.cases for t in found)))
    return out


def _randomised(rows: Sequence[Row], method: str, rules: Rules) -> list[_Randomised]:
    out = []
    for metric in (m for m in _metrics(rows, "randomisation") if m == RANDOMISATION):
        chosen = of_metric(rows, metric)
        values = by_case((r["case"], r["value"]) for r in chosen if r["method"] == method)
        if not len(values):
            continue
        low, high = t_interval(values)
        status: Status = (
            "fails" if low > rules.randomised else "passes" if high < rules.randomised else "open"
        )
        out.append(_Randomised(metric, float(values.mean()), len(values), status))
    return out


def _verdict(
    method: str, tests: Sequence[_Beaten], randomised: Sequence[_Randomised], needed: int, rules: Rules
) -> Verdict:
    counts = [t.cases for t in tests] + [r.cases for r in randomised]
    cases = min(counts, default=0)
    reasons = tuple(_told(t) for t in tests) + tuple(_told_randomised(r, rules) for r in randomised)
    level, text = _judged(tests, randomised, cases, needed, rules)
    return Verdict(method, level, text, cases, reasons)


def _judged(
    tests: Sequence[_Beaten], randomised: Sequence[_Randomised], cases: int, needed: int, rules: Rules
) -> tuple[Level, str]:
    if not tests and not randomised:
        return "cannot tell", "cannot tell: no test of faithfulness or randomisation has a figure"
    if cases < needed:
        return "cannot tell", f"cannot tell: nothing can be told from {_cases(cases)}, {needed} are needed"
    if failed := [r for r in randomised if r.status == "fails"]:
        worst = max(failed, key=lambda r: r.mean)
        return "fails", (
            f"fails randomisation on this model: do not trust ({worst.metric} {worst.mean:.2f} > "
            f"{rules.randomised:g}, {_cases(worst.cases)})"
        )
    if not tests:
        return "cannot tell", f"cannot tell: not tested for faithfulness ({_cases(cases)})"
    better = [t for t in tests if t.better]
    if not better:
        null = max(tests, key=lambda t: t.p).null
        return "fails", f"no better than {NULLS.get(null, null)} on faithfulness ({_cases(cases)})"
    open_ = [r.metric for r in randomised if r.status == "open"]
    if len(better) < len(tests) or open_:
        doubt = f"; randomisation is open ({', '.join(open_)})" if open_ else ""
        return "partly", (
            f"better than its nulls on {len(better)} of {len(tests)} faithfulness metrics "
            f"({_cases(cases)}){doubt}"
        )
    untested = "" if randomised else ", not tested by randomisation"
    return "holds", f"holds in these tests ({_cases(cases)}){untested}"


def _told(test: _Beaten) -> str:
    verb = "better than all its nulls" if test.better else f"no better than {NULLS.get(test.null, test.null)}"
    return f"{test.metric}: {verb} (corrected p {test.p:.2g}, {_cases(test.cases)})"


def _told_randomised(found: _Randomised, rules: Rules) -> str:
    word = {"passes": "passes", "fails": "fails", "open": "open: its interval holds the limit"}[found.status]
    return f"{found.metric}: {word} ({found.mean:.2f}, limit {rules.randomised:g}, {_cases(found.cases)})"


def _cases(count: int) -> str:
    return f"{count} case" + ("" if count == 1 else "s")
