"""Maps of networks whose weights were redrawn in stages: the runs that all metrics of randomisation read."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from torch import Tensor

from voxplain.attribution import Attribution
from voxplain.engine import Passes, Problem
from voxplain.engine.weight_order import weight_order_cost, weights_in_order
from voxplain.errors import ModelError
from voxplain.metric.candidate import Candidate
from voxplain.metric.randomisation.likeness import Likeness, likeness
from voxplain.metric.randomisation.redraw import Draw, Redrawn, groups, layer_of, layers
from voxplain.metric.reference import reference, reference_cost
from voxplain.metric.rerun import Rerun

Order = Literal["cascading", "independent"]
ALL: Literal["all"] = "all"
NO_WEIGHTS = "the network has no weights that could be drawn anew"
ZERO = "the map is zero, so that nothing is like it"


@dataclass(frozen=True)
class Stages:
    """Which layers are redrawn, stage by stage, and how often.

    Attributes:
        order: ``cascading``: from the output backwards, each stage with all before it, the last one all layers;
            ``independent``: each group of layers alone; ``all``: all layers at once, one stage.
        steps: at most so many stages; the layers are grouped, neighbours with neighbours.
        how: see `Redrawn`.
        draws: how often all of it is done, each time with other weights.
    """

    order: Order | Literal["all"]
    steps: int
    how: Draw
    draws: int

    def of(self, problem: Problem) -> list[frozenset[str]]:
        """The layers of every stage, first that nearest to the output."""
        names = layers(problem)
        if not names or self.order == ALL:
            return [frozenset(names)] if names else []
        used: dict[str, int] = {}
        for weight, when in weights_in_order(problem).items():
            used[layer_of(weight)] = max(when, used.get(layer_of(weight), 0))
        backwards = sorted((n for n in names if n in used), key=lambda n: -used[n])
        if not backwards:  # no operation was seen to take a weight
            return [frozenset(names)]
        cut = [frozenset(g) for g in groups(backwards, self.steps)]
        if self.order == "independent":
            return cut
        return [*(frozenset[str]().union(*cut[: i + 1]) for i in range(len(cut) - 1)), frozenset(names)]

    def planned(self, problem: Problem) -> Sequence[frozenset[str] | None]:
        """The stages before anything runs: those of which only the number is known are None."""
        if self.order == ALL or not weight_order_cost(problem):
            return self.of(problem)
        names = layers(problem)
        count = min(self.steps, len(names))
        last = frozenset(names) if self.order == "cascading" or count == 1 else None
        return [*[None] * (count - 1), last]


Found = Mapping[int, Likeness | None]


def stages_made(
    problem: Problem, candidates: Sequence[Rerun], stages: Stages
) -> dict[Hashable, list[list[Found]]]:
    """Run all candidates through all stages; what another metric has run is not run again.

    Returns:
        per key of a candidate, [draw][stage] -> target -> likeness to the map that is judged, None where
        there is none or it is zero.
    """
    network, seen = None, reference(problem)
    out: dict[Hashable, list[list[Found]]] = {
        run.key: [[] for _ in range(stages.draws)] for run in candidates
    }
    for draw, redrawn in product(range(stages.draws), stages.of(problem)):
        for key, run in {run.key: run for run in candidates}.items():
            known = _key(run, stages, redrawn, draw)
            if not problem.has_done(known):
                network = network or Redrawn(problem, stages.how)
                copy = network.at(redrawn, draw)
                # kept with the method, whose address is part of the key
                problem.once(known, lambda run=run, copy=copy: (run.method, _likeness(run, copy, seen)))  # type: ignore[misc]
            out[key][draw].append(problem.once(known, _never)[1])
    return out


def stages_cost(problem: Problem, candidates: Sequence[Candidate], stages: Stages) -> Passes:
    """Passes of `stages_made`: one to find the order of the layers, one gradient, each method's own per stage and draw.

    Where the order is not known yet, every layer counts as used; layers that never run may save some stages.
    """
    runs = {run.key: run for run in map(Rerun, candidates) if not reason(problem, run)}
    if not runs:
        return Passes()
    planned = stages.planned(problem)
    total = Passes(0 if stages.order == ALL else weight_order_cost(problem), 0) + reference_cost(problem)
    for run in runs.values():
        if run.candidate.knows_nothing:
            continue
        each = run.cost(problem.at(problem.image))
        for draw in range(stages.draws):
            for redrawn in planned:
                if redrawn is None or not problem.has_done(_key(run, stages, redrawn, draw)):
                    total += each
    return total


def reason(problem: Problem, run: Rerun) -> str:
    """Why nothing can be said of any of a candidate's maps; empty where something can."""
    if run.refused:
        return run.refused
    if not layers(problem):
        return NO_WEIGHTS
    return "" if any(run.original(t) is not None for t in run.candidate.targets) else ZERO


def _key(run: Rerun, stages: Stages, redrawn: frozenset[str], draw: int) -> Hashable:
    return ("redrawn", stages.how, draw, redrawn, run.key)


def _never() -> tuple[object, Found]:
    raise AssertionError("it was made a line ago")


def _likeness(run: Rerun, copy: Problem, seen: Attribution | None) -> Found:
    copy.memory //= 2  # the other half holds the maps that are judged
    try:
        maps = run.at(copy)
    except ModelError:  # such as a network whose new weights overflow
        return dict.fromkeys(run.candidate.targets)
    out: dict[int, Likeness | None] = {}
    for t in sorted(run.candidate.targets):
        before, after = run.original(t), maps(t)
        if before is None or after is None or not bool((after != 0).any()):
            out[t] = None
        else:
            out[t] = likeness(before, after, _reach(seen, t))
    return out


def _reach(seen: Attribution | None, target: int) -> Tensor | None:
    """(*spatial) where the network's own gradient is not zero; none where that is nowhere, or not known."""
    if seen is None or seen.answers[target].status != "ok":
        return None
    return (seen.values(target) != 0).any(0)
