"""Guidance without a gradient: by how the denoiser sees an image when it is told another answer of the classifier."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from voxplain.counterfactual.diffusion.explain import DiffusionExplainer
from voxplain.counterfactual.diffusion.generator import DiffusionGenerator
from voxplain.counterfactual.diffusion.guidance import Goal, gradient_of, lengths
from voxplain.counterfactual.diffusion.inversion import Guide
from voxplain.counterfactual.diffusion.schedule import Noise, Schedule


def leaning(plain: Tensor, told: Tensor, scale: Tensor) -> Tensor:
    """``ε + s (ε_c − ε)`` (Ho & Salimans, 2022), the noise (N, C, *S) at scales (N,).

    Args:
        plain: ε, of what is left behind: no condition as published, or here the image's own one.
        told: ε_c, of the condition that is looked for.
        scale: s; 0 is plain, 1 the condition, more of it goes beyond.
    """
    each = scale.reshape(-1, *(1,) * (plain.ndim - 1)).to(plain)
    found: Tensor = plain + each * (told - plain)
    return found


@dataclass(frozen=True, eq=False)
class ConditionGuidance:
    """From the image's own logit to another one. Nobody is asked for a gradient but, by nulls, the denoiser.

    At scale 1 this is the counterfactual of a structural model (Sanchez & Tsaftaris, Diff-SCM, CLeaR 2022): the same noise,
    another condition. With the own condition in place of none, scale 0 gives the copy, and the way goes on as long as the
    condition lies ahead, which in a normal world with a linear classifier is exact: from pure noise an image moves along Σ ·
    weights until its logit is the wanted one.

    Args:
        own: the noise that the denoiser sees when it is told the image's own logit.
        other: when it is told the other logit.
        free: when it is told nothing. Nulls look by it: told the own logit, no clean image would have another one.
        schedule: of the levels.
        apart: other logit − own logit, in standard deviations of logits; a dose is a scale of dose / apart.
        null: a goal that knows nothing. Its gradient is followed instead, scaled to the length of the real push.
    """

    own: Noise
    other: Noise
    free: Noise
    schedule: Schedule
    apart: float
    null: Goal | None = None

    def by(self, doses: Tensor) -> Guide:
        """Steps that are guided.

        Args:
            doses: (N,), of each image, in standard deviations of logits; below 0 the logit is to fall.
        """

        def step(x: Tensor, level: int) -> Tensor:
            time = self.schedule.time(level)
            with torch.no_grad():
                plain, told = self.own(x, time), self.other(x, time)
            if self.null is not None:
                # a push away from noise, as long as the real one per dose
                told = plain - self._random(self.null, x, level) * lengths(told - plain) * math.copysign(
                    1, self.apart
                )
            return leaning(plain, told, doses / self.apart)

        return step

    def led_by(self, null: Goal) -> ConditionGuidance:
        return replace(self, null=null)

    def _random(self, null: Goal, x: Tensor, level: int) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            seen = self.free(x, self.schedule.time(level))
            found = gradient_of(null, self.schedule.clean(seen, level, x), x)
        unit: Tensor = found / lengths(found).clamp_min(1e-30)
        return unit


@dataclass(frozen=True, eq=False)
class ClassifierFreeExplainer(DiffusionExplainer):
    """By a denoiser that was trained with what the classifier says; the classifier is only asked for scores.

    Args:
        generator: whose denoiser knows conditions.
        scorer: (N, C, *S) to (N,) logits, which may be a black box.
        spread: standard deviation of logits of images; a dose is by so many of them that the condition goes from the image's
            own logit.
    """

    name: ClassVar[str] = "classifier-free guidance"

    def told(self, score: float) -> DiffusionGenerator:
        return self.generator.told(torch.tensor([score]))

    def guidance(self, score: float, target: float) -> ConditionGuidance:
        way = target - score
        # of a target that is near, the denoiser could hardly tell the way to it
        apart = way if abs(way) >= self.spread else math.copysign(self.spread, way)
        own, other = self.told(score).noise, self.told(score + apart).noise
        free = self.generator.denoiser
        return ConditionGuidance(own, other, free, self.generator.schedule, apart / self.spread)
