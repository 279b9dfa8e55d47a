"""Gradients added up over the draws of a sampler, on the way counting how much they vary and agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from voxplain.engine.backward import Backward
from voxplain.engine.moments import Moments, OneDraw, adder, correlation
from voxplain.engine.samplers import Fixed, Sampler
from voxplain.engine.store import MapStore

if TYPE_CHECKING:
    from voxplain.engine.problem import Problem


@dataclass(frozen=True)
class Gradients:
    """What `Problem.gradient` found.

    Attributes:
        maps: per target, Σ over draws of factor × gradient, (C, *spatial).
        variance: per target, the gradient's variance over the draws, weighted by their factors, where asked for.
        scores: (draws, T); NaN for absent targets.
        agreement: per target, the correlation of the maps from even and from odd draws, where asked for.
    """

    maps: MapStore
    variance: MapStore | None
    scores: Tensor
    agreement: dict[int, float]


def over_draws(
    problem: Problem,
    sampler: Sampler,
    *,
    variance: bool,
    halves: bool,
    what: str,
    backward: Backward | None,
) -> Gradients:
    """Σ over the sampler's draws of factor × gradient; see `Problem.gradient` for what is asked for."""
    stores = (2 if halves else 1) + (3 if variance else 0)
    first = [problem.padded_store(share=stores) for _ in range(2 if halves else 1)]
    moments = None
    if not variance:
        scores = problem.engine.run(
            sampler,
            problem.present,
            lambda t, where, block, draw: first[draw % len(first)].add(t, where, block),
            what,
            backward,
        )
    else:
        moments = Moments(problem.store(share=stores), problem.store(share=stores))
        scores = _with_moments(problem, sampler, first, moments, what)
    keep_clean_scores(problem, sampler, scores, backward)
    agreement = {
        t: correlation(*(problem.unpad_gradient(half[t]) for half in first))
        for t in problem.present
        if halves
    }
    maps = first[0]
    maps.transform(lambda t, m: problem.unpad_gradient(m + first[1][t] if halves else m))
    return Gradients(maps, moments.variance(maps) if moments else None, scores, agreement)


def keep_clean_scores(problem: Problem, sampler: Sampler, scores: Tensor, backward: Backward | None) -> None:
    """Let the problem remember the scores (draws, T) where the only draw was the clean image."""
    # not from other backward passes, whose forward pass may round otherwise
    plain = backward is None
    if plain and isinstance(sampler, Fixed) and len(sampler) == 1 and sampler.images[0] is problem.padded:
        problem.remember(scores[0])


def _with_moments(
    problem: Problem, sampler: Sampler, first: list[MapStore], moments: Moments, what: str
) -> Tensor:
    """Squares are of the stitched gradient, so with several windows a draw is finished before the next."""
    everywhere = tuple(slice(0, s) for s in problem.plan.shape)

    def take(t: int, weighted: Tensor, draw: int) -> None:
        first[draw % len(first)].add(t, everywhere, weighted)
        weight = float(sampler.factor(draw, everywhere))
        moments.add(t, problem.unpad_gradient(weighted) / weight, weight)

    if len(problem.plan) == 1:
        return problem.engine.run(
            sampler, problem.present, lambda t, _, block, draw: take(t, block, draw), what
        )
    rows = []
    for draw in range(len(sampler)):
        one = problem.padded_store(share=len(first) + 3)
        name = f"{what} {draw + 1}/{len(sampler)}"
        rows.append(problem.engine.run(OneDraw(sampler, draw), problem.present, adder(one), name))
        for t in problem.present:
            take(t, one[t], draw)
    return torch.cat(rows)
