"""Random parts of the image replaced by a baseline: what the scores really lose, and what a map says they would.

The draws do not depend on any map, so that all maps and all targets are judged by the same passes, paid once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.attribution.baseline import Baseline, describe, parse_baseline
from voxplain.engine import Passes, Problem
from voxplain.engine.canvas import Masked
from voxplain.engine.coarse import CoarseMasks
from voxplain.errors import InputError
from voxplain.metric.candidate import Candidate

SLAB_BYTES = 64 << 20
SEED_SALT = 0x5EED


@dataclass(frozen=True)
class Removals:
    """Draws of images with parts removed, and their effect.

    Attributes:
        masks: 1 where the image stays, one draw each; values in between mix image and baseline.
        baseline: (C, *spatial) what comes in their place.
        effects: (n, T) double, ``F(x) − F(x with parts removed)``; NaN for absent targets.
        told: the baseline in words.
    """

    masks: CoarseMasks
    baseline: Tensor
    effects: Tensor
    told: str

    def predicted(self, problem: Problem, candidate: Candidate, target: int) -> Tensor:
        """The effects (n,) that a map predicts: ``Σ_v a(v) (1 − m(v))``, a slope's times ``x(v) − b(v)``."""
        claim = candidate.values(target)
        if candidate.meaning == "slope":
            claim = claim * (problem.image - self.baseline).to(claim.dtype)
        return removed_sums(self.masks, claim.sum(0), len(self.effects))


def removals(
    problem: Problem, draws: int, cells: int, keep: float, baseline: Baseline | float | str | None
) -> Removals:
    """The draws of a problem's seed, made and scored once however many metrics and maps ask for them.

    Args:
        draws: how many.
        cells: of the random grid along the image's longest axis.
        keep: mean share of the image that stays.
        baseline: what comes in place of the image (see `voxplain.attribution.baseline.parse_baseline`).
    """
    return problem.once(
        _key(draws, cells, keep, baseline), lambda: _made(problem, draws, cells, keep, baseline)
    )


def removal_cost(
    problem: Problem, draws: int, cells: int, keep: float, baseline: Baseline | float | str | None
) -> Passes:
    """Passes that `removals` will take: none where another metric has paid them."""
    if problem.has_done(_key(draws, cells, keep, baseline)):
        return Passes(0, 0)
    return problem.cost(scores=draws + (0 if problem.knows_clean_scores else 1))


def _made(
    problem: Problem, draws: int, cells: int, keep: float, baseline: Baseline | float | str | None
) -> Removals:
    found = parse_baseline(baseline, problem)
    image = found(problem)
    edge = -(-max(problem.spatial_shape) // cells)
    cell = tuple(min(edge, s) for s in problem.spatial_shape)
    masks = CoarseMasks(problem.spatial_shape, cell, keep, problem.seed ^ SEED_SALT)
    sampler = Masked(problem.canvas(), image, masks.box, draws)
    scores = problem.sampled_scores(sampler, f"removing parts ({draws} draws)")
    return Removals(masks, image, problem.clean_scores()[None] - scores, describe(found))


def _key(*parts: object) -> tuple[str, ...]:
    return ("removals", *map(repr, parts))


def removed_sums(masks: CoarseMasks, claim: Tensor, draws: int) -> Tensor:
    """``Σ_v claim(v) (1 − m_j(v))`` for every draw, (n,) double.

    A mask is its few nodes interpolated along one axis after the other, so that the sum over voxels is one over nodes,
    whose weights are the claim folded along every axis. Slab by slab, so that memory stays bounded.
    """
    shape = tuple(claim.shape)
    step = max(SLAB_BYTES // (8 * math.prod(shape[1:])), 1)
    grids = [masks.grid(draw) for draw in range(draws)]
    total = torch.zeros(draws, dtype=torch.float64)
    for start in range(0, shape[0], step):
        stop = min(start + step, shape[0])
        part = claim[start:stop].double()
        whole, folded = part.sum(), dict[int, Tensor]()
        for draw, (nodes, shift) in enumerate(grids):
            if shift[-1] not in folded:  # as many as a cell is wide at most
                folded[shift[-1]] = part @ _interpolation(slice(0, shape[-1]), shift[-1], masks.cell[-1])
            sums = folded[shift[-1]]
            for axis in reversed(range(len(shape) - 1)):
                where = slice(start, stop) if axis == 0 else slice(0, shape[axis])
                weights = _interpolation(where, shift[axis], masks.cell[axis])
                sums = torch.tensordot(weights, sums, dims=([0], [axis])).movedim(0, axis)
            shown = torch.from_numpy(nodes)[tuple(slice(0, n) for n in sums.shape)]
            total[draw] += whole - sums[shown].sum()
    return total


def _interpolation(where: slice, shift: int, cell: int) -> Tensor:
    """(voxels, nodes) the weight of each node in each voxel of a range along one axis (see `CoarseMasks`)."""
    position = torch.arange(where.start, where.stop) + shift
    below, weight = position // cell, (position % cell).double() / cell
    out = torch.zeros(len(position), int(below[-1]) + 2, dtype=torch.float64)
    rows = torch.arange(len(position))
    out[rows, below], out[rows, below + 1] = 1 - weight, weight
    return out


def check_removal(name: str, draws: int, cells: int, keep: float) -> None:
    """Refuse parameters that leave nothing to compare.

    Raises:
        InputError: too few draws, cells, or a share that is none.
    """
    if draws < 8:
        raise InputError(f"{name}: found draws={draws}, expected at least 8")
    if cells < 2:
        raise InputError(f"{name}: found cells={cells}, expected at least 2")
    if not 0 < keep < 1:
        raise InputError(f"{name}: found keep={keep}, expected a share between 0 and 1")
