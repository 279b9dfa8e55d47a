"""What a long table holds for and against each method: the tests that verdicts are read from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from voxplain.metric.comparison.compare import t_interval
from voxplain.metric.comparison.paired import holm, signed_rank
from voxplain.metric.comparison.rules import Rules
from voxplain.metric.comparison.table import Row, by_case, of_metric

RANDOMISATION = "mprt_absolute"
ROUNDING = "rounding_stability"
NAN = float("nan")
Status = Literal["passes", "fails", "open"]


@dataclass(frozen=True)
class Beaten:
    """A method's test against a metric's nulls: the one that it beats least.

    Attributes:
        p: after Holm's correction over all methods and metrics.
        better: whether it beats all of them over cases.
        here: whether it does within most of these cases, each by itself.
        worse: nulls that are as good or better on the mean over cases.
    """

    method: str
    metric: str
    null: str
    p: float
    cases: int
    here: bool
    worse: tuple[str, ...]
    better: bool = False


@dataclass(frozen=True)
class Randomised:
    """What is left of a method's maps once the weights are drawn anew.

    Attributes:
        mean: likeness.
        gradient: that of the plain gradient; NaN where it is not known.
        excess: mean of how far the likeness lies from the gradient's towards 1, at least 0 for each target, so that one
            that is far less alike than the gradient does not make up for others; where it is not known, the likeness.
        status: by the whole interval of the excess over cases.
    """

    metric: str
    mean: float
    gradient: float
    excess: float
    cases: int
    status: Status


@dataclass(frozen=True)
class Rounded:
    """Whether rounding the image changes the map."""

    mean: float
    cases: int
    fails: bool


@dataclass(frozen=True)
class Evidence:
    """All that is known of one method."""

    method: str
    tests: tuple[Beaten, ...]
    randomised: tuple[Randomised, ...]
    rounded: Rounded | None

    @property
    def cases(self) -> int:
        """The fewest that any of its tests had."""
        counts = [*(t.cases for t in self.tests), *(r.cases for r in self.randomised)]
        return min(counts, default=self.rounded.cases if self.rounded else 0)


def evidence(rows: Sequence[Row], rules: Rules) -> list[Evidence]:
    """Of every method, in order of appearance."""
    methods = list(dict.fromkeys(r["method"] for r in rows))
    tests = [t for metric in _metrics(rows, "faithfulness") for t in _against_nulls(rows, metric, methods)]
    adjusted = holm([t.p for t in tests])
    tests = [
        replace(t, p=float(p), better=bool(p <= rules.alpha)) for t, p in zip(tests, adjusted, strict=True)
    ]
    return [
        Evidence(
            method,
            tuple(t for t in tests if t.method == method),
            tuple(_randomised(rows, method, rules)),
            _rounded(rows, method, rules),
        )
        for method in methods
    ]


def _metrics(rows: Sequence[Row], family: str) -> list[str]:
    found = dict.fromkeys(r["metric"] for r in rows if r["family"] == family and r["better"] != "neither")
    return list(found)


def _against_nulls(rows: Sequence[Row], metric: str, methods: Sequence[str]) -> list[Beaten]:
    chosen = of_metric(rows, metric)
    sign = 1.0 if chosen[0]["better"] == "higher" else -1.0
    nulls = list(dict.fromkeys(key for r in chosen for key in r if key.startswith("null_")))
    out = []
    for method in methods:
        own = [r for r in chosen if r["method"] == method]
        gains = {
            null.removeprefix("null_"): by_case(
                (r["case"], sign * (r["value"] - r[null])) for r in own if null in r
            )
            for null in nulls
        }
        gains = {null: found for null, found in gains.items() if len(found)}
        if gains:
            p = {null: signed_rank(found, "greater") for null, found in gains.items()}
            least = max(p, key=lambda null: p[null])
            worse = tuple(null for null, found in gains.items() if found.mean() <= 0)
            cases = min(map(len, gains.values()))
            out.append(Beaten(method, metric, least, p[least], cases, _here(own, nulls, sign), worse))
    return out


def _here(own: Iterable[Row], nulls: Sequence[str], sign: float) -> bool:
    """Whether a metric tells in most cases; where rows do not say, whether the value is better than every null's."""

    def tells(row: Row) -> float:
        if "tells" in row:
            return float(row["tells"]) if row["tells"] in (True, False) else NAN
        gains = [sign * (row["value"] - row[null]) for null in nulls if null in row]
        known = [g for g in gains if math.isfinite(g)]
        return float(min(known) > 0) if known else NAN

    found = by_case((r["case"], tells(r)) for r in own)
    return bool(len(found) and found.mean() > 0.5)


def _randomised(rows: Sequence[Row], method: str, rules: Rules) -> list[Randomised]:
    out = []
    for metric in (m for m in _metrics(rows, "randomisation") if m == RANDOMISATION):
        own = [r for r in of_metric(rows, metric) if r["method"] == method and math.isfinite(r["value"])]
        beside = [r for r in own if math.isfinite(r.get("excess", NAN))]
        chosen = beside or own
        if not chosen:
            continue
        values = by_case((r["case"], max(r["excess"], 0.0) if beside else r["value"]) for r in chosen)
        low, high = t_interval(values)
        status: Status = (
            "fails" if low > rules.randomised else "passes" if high < rules.randomised else "open"
        )
        mean = _mean(chosen, lambda r: r["value"])
        gradient = _mean(chosen, lambda r: r.get("null_gradient", NAN)) if beside else NAN
        out.append(Randomised(metric, mean, gradient, float(values.mean()), len(values), status))
    return out


def _rounded(rows: Sequence[Row], method: str, rules: Rules) -> Rounded | None:
    own = [r for r in rows if r["metric"] == ROUNDING and r["method"] == method]
    values = by_case((r["case"], r["value"]) for r in own)
    if not len(values):
        return None
    mean, (_, high) = float(values.mean()), t_interval(values)
    return Rounded(mean, len(values), (mean if len(values) == 1 else high) < rules.stable)


def _mean(rows: Sequence[Row], number: Callable[[Row], float]) -> float:
    found = by_case((r["case"], number(r)) for r in rows)
    return float(np.mean(found)) if len(found) else NAN
