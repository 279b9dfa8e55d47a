"""RISE: the score under random masks, regressed on what they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.baseline import Baseline, check_baseline, parse_baseline
from voxplain.attribution.doubt import doubt
from voxplain.attribution.method import Method, Result, register
from voxplain.engine import MapStore, Passes, Problem
from voxplain.engine.canvas import Masked
from voxplain.engine.coarse import CoarseMasks
from voxplain.engine.moments import CorrelationSums
from voxplain.errors import InputError

# Bytes that the maps of all targets may take while they are summed up, a slab of planes at a time.
SLAB_BYTES = 128 << 20
# Masks that are made before they are multiplied with the scores.
CHUNK = 16


@register
@dataclass(frozen=True)
class Rise(Method):
    """Cov(F, M(v)) / Var(M(v)): how much the score rises when a random smooth mask M shows voxel v.

    Petsiuk et al. 2018, "RISE: Randomized input sampling for explanation of black-box models". The image is
    ``b + M ⊙ (x − b)`` for random coarse masks M. The published estimate, Σ F_i M_i(v) / (N p) (eq. 6), adds the mean
    score to every voxel, times the share of masks that happened to show it: a constant score gets a map, and that
    noise outweighs the answer where the score is far from zero. The covariance leaves it out; a constant score gets
    zero.

    Args:
        draws: masks; all targets share their passes.
        cells: nodes of the coarse grid along the longest axis, in cells of equal edge, or a number per axis.
        keep: probability that a node is shown.
        estimate: ``covariance``, or the ``published`` formula.
        baseline: what hidden voxels are replaced by, as in integrated gradients.
    """

    draws: int = 500
    cells: int | tuple[int, ...] = 8
    keep: float = 0.5
    estimate: Literal["covariance", "published"] = "covariance"
    baseline: Baseline | float | str | None = None

    name: ClassVar[str] = "rise"
    family: ClassVar[str] = "perturbation"
    title: ClassVar[str] = "RISE"
    source: ClassVar[str] = "Petsiuk et al. 2018, arXiv:1806.07421"
    needs: ClassVar[tuple[str, ...]] = ("baseline",)
    reads: ClassVar[str] = "positive: the score is higher when this place is shown"
    random: ClassVar[bool] = True
    trust: ClassVar[tuple[str, ...]] = ("agreement",)

    def __post_init__(self) -> None:
        if self.draws < 4:
            raise InputError(f"{self.name}: found draws={self.draws}, expected at least 4")
        if not 0 < self.keep < 1:
            raise InputError(f"{self.name}: found keep={self.keep}, expected a probability between 0 and 1")
        if np.min(self.cells) < 1:
            raise InputError(f"{self.name}: found cells={self.cells}, expected at least 1 on every axis")
        if self.estimate not in ("covariance", "published"):
            raise InputError(
                f"{self.name}: found estimate={self.estimate!r}, expected 'covariance' or 'published'"
            )
        check_baseline(self.baseline)

    def compute(self, problem: Problem) -> Result:
        masks = self.masks(problem)
        baseline = parse_baseline(self.baseline, problem)
        sampler = Masked(problem.canvas(), baseline(problem), masks.box, self.draws)
        scores = problem.sampled_scores(sampler, f"{self.name} ({self.draws} masks)")
        maps, agreement = _weighted(problem, masks, self._weights(scores, masks.variance))
        checks = {t: {"agreement": agreement[t]} for t in problem.present}
        edge = "×".join(map(str, masks.cell))
        told = f"cells of {edge}, baseline {type(baseline).__name__.lower()}"
        notes = {t: told + doubt(agreement[t]) for t in problem.present}
        # scores that differ by rounding alone
        noise = 4 * torch.finfo(problem.dtype).eps / masks.variance
        floor = {t: noise * float(scores[:, t].abs().max()) for t in problem.present}
        return Result(maps, problem.clean_scores(), "score", checks, notes, floor=floor, voxel_power=0)

    def cost(self, problem: Problem) -> Passes:
        return self._passes(problem, 0, self.draws + 1)

    def masks(self, problem: Problem) -> CoarseMasks:
        """The masks that this problem's seed gives."""
        shape = problem.spatial_shape
        if isinstance(self.cells, int):
            edge = -(-max(shape) // self.cells)
            cell = tuple(min(edge, s) for s in shape)
        elif len(self.cells) != len(shape):
            raise InputError(
                f"{self.name}: cells has {len(self.cells)} numbers {self.cells}, expected one or {len(shape)}"
            )
        else:
            cell = tuple(-(-s // n) for s, n in zip(shape, self.cells, strict=True))
        return CoarseMasks(shape, cell, self.keep, problem.seed)

    def _weights(self, scores: Tensor, variance: float) -> Tensor:
        """What each mask counts for each target: (N, T) -> (N, T)."""
        if self.estimate == "published":
            return scores / (self.draws * self.keep)
        moved = scores - scores[:1]  # exactly zero where the score is constant
        return (moved - moved.mean(0)) / ((self.draws - 1) * variance)


def _weighted(problem: Problem, masks: CoarseMasks, weights: Tensor) -> tuple[MapStore, dict[int, float]]:
    """Σ_i weight_i M_i for every target, and the correlation of the sums over even and over odd masks."""
    present, shape = problem.present, problem.spatial_shape
    parity = torch.arange(len(weights)) % 2
    halves = torch.cat([weights[:, present] * (parity == k)[:, None] for k in (0, 1)], dim=1).T.contiguous()
    store = problem.store(channels=1)
    sums = {t: CorrelationSums() for t in present}
    plane = int(np.prod(shape[1:]))
    step = max(SLAB_BYTES // (8 * plane * (2 * len(present) + CHUNK)), 1)
    for start in range(0, shape[0], step):
        where = (slice(start, min(start + step, shape[0])), *(slice(0, s) for s in shape[1:]))
        size = tuple(s.stop - s.start for s in where)
        total = torch.zeros((len(halves), int(np.prod(size))), dtype=torch.float64)
        for first in range(0, len(weights), CHUNK):
            draws = range(first, min(first + CHUNK, len(weights)))
            made = torch.stack([masks.box(i, where).flatten() for i in draws])
            total += halves[:, draws.start : draws.stop] @ made
        for k, t in enumerate(present):
            even, odd = total[k], total[k + len(present)]
            store.add(t, where, (even + odd).reshape(1, *size))
            sums[t].add(even, odd)
    return store, {t: s.value() for t, s in sums.items()}
