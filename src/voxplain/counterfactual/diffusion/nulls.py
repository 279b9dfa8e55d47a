"""Guidance by classifiers that know nothing, pushed as hard: what a flip is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.counterfactual.diffusion.explain import DiffusionExplainer
from voxplain.counterfactual.diffusion.guidance import Goal
from voxplain.counterfactual.direction.queries import scored
from voxplain.counterfactual.generator.statistics import LatentStatistics

STEPS = 4  # doses up to the limit


@dataclass(frozen=True, eq=False)
class LinearGoal:
    """A linear classifier, whose logit has variance 1 over plausible images.

    Args:
        weights: (C · voxels,), per unit of the denoiser's scale.
    """

    weights: Tensor

    def __call__(self, clean: Tensor) -> Tensor:
        return clean.flatten(1) @ self.weights


def random_goal(plausible: LatentStatistics, images: Tensor, logits: Tensor, *, seed: int) -> LinearGoal:
    """Of a random plausible direction, with the sense in which the real logits rise, or half of all could not flip.

    Guided by it from pure noise, images would move along what `random_direction` draws for linear families.

    Args:
        plausible: mean and covariance of images.
        images: (N, C, *S) whose logits are known.
        logits: (N,).
        seed: of the direction.
    """
    drawn = torch.randn(plausible.rank, generator=torch.Generator().manual_seed(seed)).to(plausible.factor)
    along = plausible.whiten(images.flatten(1)) @ (drawn / drawn.norm())
    rises = float(((along - along.mean()) * (logits - logits.mean()).to(along)).sum())
    unit = drawn / drawn.norm() * (1.0 if rises >= 0 else -1.0)
    inverse: Tensor = torch.linalg.pinv(plausible.factor.double()).to(plausible.factor)
    return LinearGoal(inverse.T @ unit)


def guided_nulls(
    explainer: DiffusionExplainer, goals: Sequence[Goal], x: Tensor, *, dose: float, target: float, where: Tensor | None
) -> tuple[float, float]:  # fmt: skip
    """The share of random goals that flip an image at the dose, and at any up to the limit.

    Args:
        explainer: with the classifier that is asked.
        goals: random ones.
        x: (C, *S).
        dose: of the real guidance.
        target: that the real guidance goes for.
        where: that may change, as for the real guidance.
    """
    doses = torch.cat([torch.tensor([dose]), torch.linspace(0, explainer.limit, STEPS + 1)[1:]]).to(x)
    with torch.no_grad():
        score = float(scored(explainer.scorer, x[None])[0])
    before, sign = score > explainer.boundary, 1.0 if target >= score else -1.0
    real, flips = explainer.way(x, where, score, target), []
    for goal in goals:
        images = explainer.frames(real.led_by(goal), x, sign * doses)
        with torch.no_grad():
            flips.append((scored(explainer.scorer, images) > explainer.boundary) != before)
    found = torch.stack(flips).double()
    return float(found[:, 0].mean()), float(found.amax(1).mean())
