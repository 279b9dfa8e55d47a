"""How much maps change with the image: the runs that all metrics of robustness read their figures from."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from voxplain.attribution.method import Method
from voxplain.engine import Passes, Problem
from voxplain.metric.candidate import Candidate
from voxplain.metric.figure import NAN, Figure
from voxplain.metric.rerun import Rerun
from voxplain.metric.robustness.neighbours import Neighbours

ZERO = "the map is zero, so that there is no size that a change could be compared with"
CONSTANT = "the image is constant, so that no perturbation can be a share of its range"


@dataclass(frozen=True)
class Changes:
    """Of one method.

    Attributes:
        by: the method, whose address is part of the key under which this is found again.
        relative: target -> (n,) ``‖a(x + δ) − a(x)‖ / ‖a(x)‖``; NaN where there was no map.
    """

    by: Method | None
    relative: dict[int, NDArray[np.float64]]


def changes(problem: Problem, rerun: Rerun, near: Neighbours) -> Changes:
    """The changes of a candidate's maps, run once however many metrics ask for them."""
    return problem.once(_key(rerun, near), lambda: _made(problem, rerun, near))


def changes_cost(problem: Problem, candidates: Sequence[Candidate], near: Neighbours) -> Passes:
    """Passes that `changes` of all candidates will take: each method's own cost at every perturbed image."""
    runs = {_key(run, near): run for run in map(Rerun, candidates) if not reason(problem, run)}
    total = Passes()
    for key, run in runs.items():
        if run.candidate.knows_nothing or problem.has_done(key):
            continue
        for draw in range(near.draws):
            total += run.cost(problem.at(near.image(problem, draw)))
    return total


def reason(problem: Problem, run: Rerun) -> str:
    """Why nothing can be said of any of a candidate's maps; empty where something can."""
    if run.refused:
        return run.refused
    if bool((problem.image.flatten(1) == problem.image.flatten(1)[:, :1]).all()):
        return CONSTANT
    return "" if any(run.original(t) is not None for t in run.candidate.targets) else ZERO


def nothing(note: str) -> Figure:
    """No figure, and why."""
    return Figure(NAN, note=note)


def _key(rerun: Rerun, near: Neighbours) -> Hashable:
    return ("changes", near, rerun.key)


def _made(problem: Problem, rerun: Rerun, near: Neighbours) -> Changes:
    originals = {t: a for t in sorted(rerun.candidate.targets) if (a := rerun.original(t)) is not None}
    sizes = {t: _norm(a) for t, a in originals.items()}
    relative = {t: np.full(near.draws, np.nan) for t in originals}
    for draw in range(near.draws):
        copy = problem.at(near.image(problem, draw))
        copy.memory = problem.memory // 2  # the other half holds the maps that are judged
        maps = rerun.at(copy)
        for t, a in originals.items():
            if (b := maps(t)) is not None:
                relative[t][draw] = _norm(b.double() - a.double()) / sizes[t]
    return Changes(rerun.method, relative)


def _norm(values: torch.Tensor) -> float:
    return float(torch.linalg.vector_norm(values, dtype=torch.float64))
