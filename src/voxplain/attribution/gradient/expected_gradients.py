"""Expected gradients (GradientSHAP): integrated gradients averaged over several baselines, by random draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.baseline import (
    Baseline,
    Blur,
    Mean,
    Minimum,
    check_baseline,
    is_scale_blind,
    parse_baseline,
)
from voxplain.attribution.gradient.completeness import completeness
from voxplain.attribution.gradient.noise_scale import channel_range
from voxplain.attribution.method import Method, Result, register
from voxplain.attribution.streamed import Streamed
from voxplain.engine import Passes, Problem
from voxplain.engine.samplers import RandomPath
from voxplain.errors import InputError


@register
@dataclass(frozen=True)
class ExpectedGradients(Method):
    """E[(x − b) · ∂F(b + α(x − b))/∂x] over random baselines b and α ~ U(0, 1).

    Erion et al. 2021, "Improving performance of deep learning models with axiomatic attribution priors and
    expected gradients"; with noise on the image it is Captum's and SHAP's GradientSHAP.

    Args:
        draws: random (baseline, α) pairs; α is stratified for each baseline, which lowers the error.
        baselines: as in integrated gradients, one or several; by default the blurred image at three widths
            where the network is blind to scale, else minimum, mean and blur.
        sigma: noise on the image as a share of each channel's range; 0 for none.
    """

    draws: int = 32
    baselines: tuple[Baseline | float | str, ...] | None = None
    sigma: float = 0.0

    name: ClassVar[str] = "expected_gradients"
    aliases: ClassVar[tuple[str, ...]] = ("gradient_shap",)
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Expected gradients (GradientSHAP)"
    source: ClassVar[str] = "Erion et al. 2021, arXiv:1906.10670; Lundberg & Lee 2017, arXiv:1705.07874"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "baseline")
    reads: ClassVar[str] = (
        "the share of the score's difference from the mean baseline that this voxel carries"
    )
    random: ClassVar[bool] = True
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap", "agreement")

    def __post_init__(self) -> None:
        if self.draws < 2:
            raise InputError(f"{self.name}: found draws={self.draws}, expected at least 2")
        if self.sigma < 0:
            raise InputError(f"{self.name}: found sigma={self.sigma}, expected 0 or more")
        if self.baselines is not None and not self.baselines:
            raise InputError(f"{self.name}: baselines is empty, expected at least one")
        for baseline in self.baselines or ():
            check_baseline(baseline)

    @property
    def draw_count(self) -> int:
        return self.draws

    def cost(self, problem: Problem) -> Passes:
        starts = 3 if self.baselines is None else len(self.baselines)
        return self._passes(problem, self.draws, 1 + starts)

    def streamed(self, problem: Problem) -> Streamed:
        return self._from(problem, [b(problem) for b in self.starts(problem)])

    def _from(self, problem: Problem, starts: list[Tensor]) -> Streamed:
        """Draws on the lines from baselines (C, *spatial)."""
        positions, choices = self._draws_of(problem, len(starts))
        padded = [problem.pad(s) for s in starts]
        sigma = self.sigma * channel_range(problem.image)
        return Streamed(
            lambda p: RandomPath(p.padded, padded, positions.tolist(), choices.tolist(), p.noise(), sigma),
            f"{self.name} ({self.draws} draws)",
            halves=True,
            at_image=False,
        )

    def _draws_of(self, problem: Problem, baselines: int) -> tuple[np.ndarray, np.ndarray]:
        return stratified(self.draws, baselines, np.random.default_rng(problem.seed))

    def compute(self, problem: Problem) -> Result:
        starts = [b(problem) for b in self.starts(problem)]
        found = self._from(problem, starts).maps(problem)
        _, choices = self._draws_of(problem, len(starts))
        ends = torch.cat([problem.clean_scores()[None], problem.scores(starts)])
        share = torch.bincount(torch.from_numpy(choices), minlength=len(starts)).double() / self.draws
        mean = (share[:, None] * ends[1:]).sum(0)
        checks, notes = completeness(problem, found, torch.stack([ends[0], mean]))
        for t, agreement in found.agreement.items():
            checks[t]["agreement"] = agreement
        return Result(found.maps, ends[0], "score", checks, notes)

    def starts(self, problem: Problem) -> list[Baseline]:
        """The baselines: those that were given, or the default ones for this network."""
        if self.baselines is not None:
            return [parse_baseline(b, problem) for b in self.baselines]
        if not is_scale_blind(problem):
            return [Minimum(), Mean(), Blur()]
        voxel = min(problem.prepared.spacing)
        return [Blur(2 * voxel), Blur(4 * voxel), Blur(8 * voxel)]


def stratified(draws: int, baselines: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random (α, baseline) pairs: baselines in equal shares, and for each one α in every equal stratum of [0, 1].

    Returns:
        (draws,) positions in [0, 1] and (draws,) indices of baselines, in random order.
    """
    choices = np.arange(draws) % baselines
    positions = np.empty(draws)
    for baseline in range(baselines):
        mine = choices == baseline
        count = int(mine.sum())
        positions[mine] = (np.arange(count) + rng.random(count)) / count
    order = rng.permutation(draws)
    return positions[order], choices[order]
