"""The game whose players are the regions of a partition."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from voxplain.aggregate.games.play import Play, Wanted
from voxplain.aggregate.games.result import RegionGame
from voxplain.aggregate.games.sums import Sums
from voxplain.aggregate.partition import Partition, require_fitting
from voxplain.aggregate.targets import target_names
from voxplain.attribution.baseline import Baseline, name_of, parse_baseline
from voxplain.attribution.baselines.plausibility import plausibility
from voxplain.attribution.gap import relative_gap
from voxplain.engine import Passes, Problem
from voxplain.engine.players import Player
from voxplain.errors import InputError

Value = Literal["shapley", "occlusion", "interaction"]
VALUES = ("shapley", "occlusion", "interaction")
# Exact for 64 windows of seven regions each.
BUDGET = 8192
WHAT = "region game"


def region_game(
    problem: Problem,
    partition: Partition,
    *,
    baseline: Baseline | float | str | None = None,
    values: Sequence[Value] = ("shapley", "occlusion"),
    budget: int = BUDGET,
    seed: int | None = None,
) -> RegionGame:
    """Shapley values, occlusion and interactions of all regions, for all targets from the same forward passes.

    Where scores are linear in the network's output, ``v(S) = Σ_w v_w(S ∩ R_w)``: each window plays a game of the
    regions that it sees, all its coalitions are asked where the budget allows, and drawn orders and their reverses
    where not. A window is never asked the same coalition twice, whatever is read from it. Scores that are not linear in
    several windows play one game of the whole image.

    Args:
        baseline: what an absent region shows, in the grammar of `parse_baseline`.
        values: of ``shapley``, ``occlusion`` (with each region alone) and ``interaction`` (with Shapley values); where
            orders are drawn, interactions ask for many more of them.
        budget: most forward passes, in windows; `region_game_cost` tells how many it will be.
        seed: of what is drawn; the problem's by default.

    Returns:
        a `RegionGame`; a warning says where the baseline is implausible.

    Raises:
        InputError: unknown values, a partition of another image, or a budget below the least.

    Source: Shapley 1953, "A value for n-person games"; drawn orders: Castro et al. 2009; reverses: Mitchell et al. 2022.
    """
    asked = parse_baseline(baseline, problem)
    image = asked.over(problem, partition.parts)
    checked = plausibility(problem, partition.parts, partition.regions, image)
    if checked.warning:
        name = name_of(asked)
        hint = "" if name.startswith("infill") else "; 'infill' usually stays nearer"
        warnings.warn(f"{problem.case.id}: baseline {name}: {checked.warning}{hint}", stacklevel=2)
    play = _play(problem, partition, image, values, budget, seed)
    before = problem.passes.copy()
    sums = play.run()
    shown = "shapley" in values or "interaction" in values
    pairs = "interaction" in values
    return RegionGame(
        case=problem.case.id,
        model=problem.model.name,
        targets=target_names(problem),
        partition=partition.name,
        regions=partition.regions,
        present=partition.counts > 0,
        baseline=name_of(asked),
        plausibility=checked,
        full=sums.full,
        empty=sums.empty,
        exact=sums.exact,
        shapley=_known(sums.share, partition) if shown else None,
        shapley_error=_known(sums.variance.sqrt(), partition) if shown else None,
        occlusion=_known(sums.occlusion, partition) if "occlusion" in values else None,
        alone=_known(sums.alone, partition) if "occlusion" in values else None,
        interaction=_known_pairs(sums.interaction, partition) if pairs else None,
        interaction_error=_known_pairs(sums.interaction_variance.sqrt(), partition) if pairs else None,
        gap=efficiency_gap(sums) if shown else torch.full_like(sums.full, torch.nan),
        passes=problem.passes - before,
    )


def region_game_cost(
    problem: Problem,
    partition: Partition,
    *,
    baseline: Baseline | float | str | None = None,
    values: Sequence[Value] = ("shapley", "occlusion"),
    budget: int = BUDGET,
    seed: int | None = None,
) -> Passes:
    """Passes that `region_game` will take, to the last one."""
    image = parse_baseline(baseline, problem).over(problem, partition.parts)
    return _play(problem, partition, image, values, budget, seed).cost()


def efficiency_gap(sums: Sums) -> Tensor:
    """(T,) how far the shares are from adding up to v(N) − v(∅), relative; NaN for absent targets."""
    total, difference = sums.share.nansum(1), sums.full - sums.empty
    gaps = [relative_gap(float(a), float(b)) for a, b in zip(total, difference, strict=True)]
    return torch.tensor(gaps, dtype=torch.float64).where(~difference.isnan(), torch.nan)


def _play(
    problem: Problem,
    partition: Partition,
    image: Tensor,
    values: Sequence[Value],
    budget: int,
    seed: int | None,
) -> Play:
    unknown = [v for v in values if v not in VALUES]
    if unknown or not values:
        raise InputError(f"{WHAT}: found values {list(values)}, expected at least one of {', '.join(VALUES)}")
    require_fitting(problem, partition)
    wanted = Wanted(
        share="shapley" in values or "interaction" in values,
        single="occlusion" in values,
        interaction="interaction" in values,
    )
    game = problem.game([Player(part) for part in partition.parts], image)
    return Play(problem, game, wanted, budget=budget, seed=problem.seed if seed is None else seed, what=WHAT)


def _known(values: Tensor, partition: Partition) -> Tensor:
    """(T, R), NaN for regions without a voxel."""
    return values.where(partition.counts[None] > 0, torch.nan)


def _known_pairs(values: Tensor, partition: Partition) -> Tensor:
    """(T, R, R), NaN where either region has no voxel."""
    there = partition.counts > 0
    return values.where(there[None, :, None] & there[None, None, :], torch.nan)
