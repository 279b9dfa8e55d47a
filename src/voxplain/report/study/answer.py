"""The answer first: one line per method, with the few numbers that the verdict rests on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from voxplain.metric.comparison import Verdict
from voxplain.report.page import Level
from voxplain.report.study.page import MetricResult, ModelComparison
from voxplain.report.study.words import LIGHTS, count

NAN = float("nan")
_ORDER = ("holds", "partly", "cannot tell", "fails")
_LIKENESS = "mprt_absolute"
_STABILITY = ("rounding_stability", "sensitivity_average", "sensitivity_max")  # verdicts read the first
_ONE_AND_MANY = {
    "holds": ("1 holds in these tests", "{} hold in these tests"),
    "partly": ("1 holds in part", "{} hold in part"),
    "cannot tell": ("nothing can be told of 1", "nothing can be told of {}"),
    "fails": ("1 fails", "{} fail"),
}


@dataclass(frozen=True)
class Answer:
    """A method's line.

    Attributes:
        rank: mean over the faithfulness metrics of its mean rank over cases; NaN where there are none.
        metrics: how many those are.
        likeness: to the maps of networks with redrawn weights.
        stability: as the metric of `Answers.stability` gives it.
    """

    verdict: Verdict
    light: Level
    rank: float
    metrics: int
    likeness: float
    stability: float

    @property
    def text(self) -> str:
        """What follows the verdict's level, which stands before it: the rest of the line, where that begins with it."""
        level, text = self.verdict.level, self.verdict.text
        return text.removeprefix(level) if text.startswith(level) else f": {text}"

    @property
    def here(self) -> str:
        """What is true of these cases alone, where there are too few to say more."""
        return here(self.verdict)


@dataclass(frozen=True)
class Answers:
    """All lines of a model, the best first, and what their columns are.

    Attributes:
        likeness, stability: the metrics of these columns, where there are any.
        gradient: the gradient's own likeness; NaN where it is not known.
        summary: how many methods have which verdict.
    """

    lines: tuple[Answer, ...]
    likeness: MetricResult | None
    stability: MetricResult | None
    gradient: float
    summary: str

    @property
    def ranked(self) -> bool:
        """Whether any method has a rank over cases."""
        return any(line.metrics for line in self.lines)


def answers(model: ModelComparison) -> Answers:
    """The lines of a model."""
    by_name = {m.name: m for m in model.metrics}
    likeness = by_name.get(_LIKENESS)
    stability = next((by_name[n] for n in _STABILITY if n in by_name), None)
    lines = [_line(model, verdict, likeness, stability) for verdict in model.verdicts]
    lines.sort(
        key=lambda a: (_place(a.verdict.level), _place(a.verdict.here), np.nan_to_num(a.rank, nan=np.inf))
    )
    return Answers(tuple(lines), likeness, stability, _gradient(likeness), _summary(model))


def _line(
    model: ModelComparison, verdict: Verdict, likeness: MetricResult | None, stability: MetricResult | None
) -> Answer:
    ranks = [_rank(m, verdict.method) for m in model.metrics if m.family == "faithfulness" and m.ranked]
    known = [r for r in ranks if np.isfinite(r)]
    return Answer(
        verdict,
        LIGHTS.get(verdict.level, "info"),
        float(np.mean(known)) if known else NAN,
        len(known),
        mean(likeness, verdict.method),
        mean(stability, verdict.method),
    )


def here(verdict: Verdict) -> str:
    """What is true of these cases alone, where there are too few to say more; else empty."""
    if verdict.level != "cannot tell" or verdict.here == "nothing":
        return ""
    return f"on {'this case' if verdict.cases == 1 else 'these cases'} alone: {verdict.here}"


def mean(result: MetricResult | None, method: str) -> float:
    """A method's mean under a metric; NaN where there is none."""
    if result is None:
        return NAN
    return next((s.mean for s in result.comparison.summaries if s.method == method), NAN)


def _rank(result: MetricResult, method: str) -> float:
    return next((s.rank for s in result.comparison.summaries if s.method == method), NAN)


def _gradient(likeness: MetricResult | None) -> float:
    """The null of that name where the metric has it, else the method."""
    nulls = likeness.nulls if likeness else ()
    return next((n.mean for n in nulls if n.name == "gradient"), mean(likeness, "gradient"))


def _place(level: str) -> int:
    return _ORDER.index(level) if level in _ORDER else len(_ORDER)


def _summary(model: ModelComparison) -> str:
    found = Counter[str](v.level for v in model.verdicts)
    parts = [_ONE_AND_MANY[level][found[level] > 1].format(found[level]) for level in _ORDER if found[level]]
    return f"Of {count(len(model.verdicts), 'method')}: {', '.join(parts)}." if parts else ""
