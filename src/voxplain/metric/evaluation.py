"""Maps judged by metrics, each figure beside those of maps that know nothing."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from voxplain.attribution import Attribution
from voxplain.engine import Passes, Problem
from voxplain.errors import InputError
from voxplain.metric.candidate import Candidate, judged
from voxplain.metric.figure import Figure
from voxplain.metric.identity import image_print, network_print
from voxplain.metric.metric import Figures, Metric, metric as find_metric
from voxplain.metric.nulls import null


@dataclass(frozen=True)
class Judgement:
    """What one metric says of one map for one target, and whether that means anything.

    Attributes:
        nulls: per null its figure.
        tells: whether the map is better than every null by more than its interval; ``None`` where the metric only
            describes, has no figure, or no null to compare with.
    """

    candidate: str
    target: int
    metric: Metric
    figure: Figure
    nulls: Mapping[str, Figure]

    @property
    def tells(self) -> bool | None:
        """Whether the map beats all nulls; see above."""
        known = self._known()
        if math.isnan(self.figure.value) or self.metric.better == "neither" or not known:
            return None
        higher = self.metric.better == "higher"
        return all(self.figure.beats(f, higher=higher) for f in known.values())

    @property
    def remark(self) -> str:
        """Which null is as good, and the figure's own note."""
        if self.tells is not False:
            return self.figure.note
        known = self._known()
        best = max if self.metric.better == "higher" else min
        name = best(known, key=lambda n: known[n].value)
        doubt = f"cannot tell: {_article(name)} is as good"
        return f"{doubt}; {self.figure.note}" if self.figure.note else doubt

    def _known(self) -> dict[str, Figure]:
        return {name: f for name, f in self.nulls.items() if not math.isnan(f.value)}


_NULLS_IN_WORDS = {
    "zero": "a map of zeros",
    "constant": "a constant map",
    "random": "a random map",
    "edges": "a map of the image's edges",
}


def _article(name: str) -> str:
    return _NULLS_IN_WORDS.get(name, f"the null {name!r}")


@dataclass
class Evaluation:
    """All judgements of a problem's maps.

    Attributes:
        passes: per metric, what it took; shared passes count for the metric that paid them.
        seconds: per metric.
    """

    problem: Problem
    judgements: list[Judgement] = field(default_factory=list)
    passes: dict[str, Passes] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def value(self, metric: str, candidate: str, target: int = 0) -> float:
        """One figure's value.

        Raises:
            InputError: nothing was judged so.
        """
        for j in self.judgements:
            if (j.metric.name, j.candidate, j.target) == (metric, candidate, target):
                return j.figure.value
        raise InputError(f"no figure of metric {metric!r} for map {candidate!r} and target {target}")

    def rows(self) -> list[dict[str, Any]]:
        """One flat row per judgement: a long table."""
        return [self._row(j) for j in self.judgements]

    def _row(self, j: Judgement) -> dict[str, Any]:
        return {
            "case": self.problem.case.id,
            "model": self.problem.model.name,
            "target": self.problem.targets[j.target].name,
            "method": j.candidate,
            "metric": j.metric.name,
            "family": j.metric.family,
            "value": j.figure.value,
            "low": j.figure.interval[0],
            "high": j.figure.interval[1],
            "better": j.metric.better,
            **{f"null_{name}": f.value for name, f in j.nulls.items()},
            "tells": j.tells,
            "note": j.remark,
            "parameters": json.dumps(j.metric.parameters(), sort_keys=True, default=str),
            "image": image_print(self.problem),
            "network": network_print(self.problem),
            "seed": self.problem.seed,
        }


def evaluate(
    problem: Problem,
    attributions: Attribution | Sequence[Attribution] | Mapping[str, Attribution],
    metrics: Iterable[Metric | str],
) -> Evaluation:
    """Judge maps by metrics.

    Args:
        attributions: of this problem; by name where a method occurs twice.
        metrics: metrics, or their names for their default parameters.

    Raises:
        InputError: unknown metric, one metric with two settings (their figures would pass for one another's), two maps
            of one name, an attribution of another problem.
    """
    candidates = _named(problem, attributions)
    chosen = [find_metric(m) if isinstance(m, str) else m for m in metrics]
    _once_each(chosen)
    for one in chosen:
        one.check(problem)
    out = Evaluation(problem)
    for one in chosen:
        before, start = problem.passes.copy(), time.perf_counter()
        nulls = [null(name, problem) for name in one.nulls]
        found = one.compute(problem, [*candidates, *nulls])
        out.judgements += _judgements(one, candidates, nulls, found)
        out.passes[one.name] = problem.passes - before
        out.seconds[one.name] = time.perf_counter() - start
    return out


def _once_each(metrics: Sequence[Metric]) -> None:
    names = [m.name for m in metrics]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"metrics: {name!r} is asked for {names.count(name)} times; judge each setting in a call of its own"
            )


def _judgements(
    metric: Metric, candidates: Sequence[Candidate], nulls: Sequence[Candidate], found: Figures
) -> list[Judgement]:
    out = []
    for position, candidate in enumerate(candidates):
        for target in sorted(candidate.targets):
            if (position, target) not in found:
                continue
            beside = {
                one.name: found[len(candidates) + k, target]
                for k, one in enumerate(nulls)
                if (len(candidates) + k, target) in found
            }
            out.append(Judgement(candidate.name, target, metric, found[position, target], beside))
    return out


def _named(
    problem: Problem, attributions: Attribution | Sequence[Attribution] | Mapping[str, Attribution]
) -> list[Candidate]:
    if isinstance(attributions, Attribution):
        attributions = [attributions]
    pairs = (
        list(attributions.items())
        if isinstance(attributions, Mapping)
        else [(a.method, a) for a in attributions]
    )
    names = [name for name, _ in pairs]
    for name, attribution in pairs:
        if names.count(name) > 1:
            raise InputError(f"attributions: two are called {name!r}; give them names: {{name: attribution}}")
        if attribution.problem is not problem:
            raise InputError(f"attribution {name!r}: it answers another problem than the one given")
    return [judged(attribution, name) for name, attribution in pairs]
