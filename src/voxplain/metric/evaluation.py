"""Maps judged by metrics, each figure beside those of maps that know nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from voxplain.attribution import Attribution
from voxplain.engine import Passes, Problem
from voxplain.errors import InputError
from voxplain.metric.candidate import Candidate, judged
from voxplain.metric.figure import NAN, Figure
from voxplain.metric.judgement import Judgement, join
from voxplain.metric.metric import Figures, Metric, metric as find_metric
from voxplain.metric.nulls import DRAWS, check_draws, null_candidates
from voxplain.metric.row import Facts, row


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
        """One flat row per judgement: a long table; targets without a map have a value of NaN and a note."""
        return [row(j, Facts.of(self.problem, j.target)) for j in self.judgements]


def evaluate(
    problem: Problem,
    attributions: Attribution | Sequence[Attribution] | Mapping[str, Attribution],
    metrics: Iterable[Metric | str],
    *,
    random_nulls: int = DRAWS,
) -> Evaluation:
    """Judge maps by metrics.

    Args:
        attributions: of this problem; by name where a method occurs twice.
        metrics: metrics, or their names for their default parameters.
        random_nulls: random maps beside every metric that can be compared with them.

    Raises:
        InputError: unknown metric, one metric with two settings (their figures would pass for one another's), two maps
            of one name, an attribution of another problem, no random map.

    >>> import numpy as np, torch, voxplain as vx
    >>> network = torch.nn.Conv2d(1, 2, 1)  # bright: twice the intensity
    >>> network.weight.data = torch.tensor([0.0, 2.0]).reshape(2, 1, 1, 1)
    >>> network.bias.data = torch.tensor([1.0, 0.0])
    >>> model = vx.load_model(network, classes=["dark", "bright"])
    >>> case = vx.Case("three voxels", np.array([[[0.0, 1.0, 3.0]]]))
    >>> problem = vx.Problem(model, case, ["bright"])
    >>> found = evaluate(problem, vx.IntegratedGradients(nodes=4, baseline=0.0).attribute(problem), ["completeness"])
    >>> found.value("completeness", "integrated_gradients")
    0.0
    """
    check_draws(random_nulls)
    candidates = _named(problem, attributions)
    chosen = [find_metric(m) if isinstance(m, str) else m for m in metrics]
    _once_each(chosen)
    for one in chosen:
        one.check(problem)
    out = Evaluation(problem)
    for one in chosen:
        before, start = problem.passes.copy(), time.perf_counter()
        nulls = null_candidates(problem, one, random_nulls) if candidates else []
        found = one.compute(problem, [*candidates, *nulls])
        out.judgements += _judgements(problem, one, candidates, nulls, found)
        out.passes[one.name] = problem.passes - before
        out.seconds[one.name] = time.perf_counter() - start
    return out


def without_map(attribution: Attribution, target: int) -> Figure:
    """The figure of a target that a method has no map of, which says why."""
    answer = attribution.answers[target]
    return Figure(NAN, note=": ".join(filter(None, [f"no map, its status is {answer.status}", answer.note])))


def _once_each(metrics: Sequence[Metric]) -> None:
    names = [m.name for m in metrics]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"metrics: {name!r} is asked for {names.count(name)} times; judge each setting in a call of its own"
            )


def _judgements(
    problem: Problem,
    metric: Metric,
    candidates: Sequence[Candidate],
    nulls: Sequence[Candidate],
    found: Figures,
) -> list[Judgement]:
    out = []
    for position, candidate in enumerate(candidates):
        for target in range(len(problem.targets)):
            figure = found.get((position, target)) or _nothing(candidate, target)
            beside = {
                one.name: found[len(candidates) + k, target]
                for k, one in enumerate(nulls)
                if (len(candidates) + k, target) in found
            }
            out.append(join(metric, candidate.name, target, figure, beside, meaning=candidate.meaning))
    return out


def _nothing(candidate: Candidate, target: int) -> Figure:
    if candidate.attribution is not None and target not in candidate.targets:
        return without_map(candidate.attribution, target)
    return Figure(NAN, note="the metric has no figure of this target")


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
