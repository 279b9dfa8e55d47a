"""Steps that lean towards what a classifier wants to see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from voxplain.counterfactual.diffusion.inversion import Guide
from voxplain.counterfactual.diffusion.schedule import Noise, Schedule
from voxplain.errors import ModelError

Goal = Callable[[Tensor], Tensor]  # clean images (N, C, *S) on the denoiser's scale to (N,)


class Led(Protocol):
    """What makes steps lean."""

    def by(self, doses: Tensor) -> Guide:
        """Steps at doses (N,), below 0 the other way."""

    def led_by(self, null: Goal) -> Led:
        """As hard, towards a goal that knows nothing."""


@dataclass(frozen=True, eq=False)
class Guidance:
    """Guidance by the gradient of a goal on the predicted clean image (Dhariwal & Nichol, NeurIPS 2021; DiME, ACCV 2022).

    ``ε − s √(1 − a) ∇_x goal(x̂_0(x))``: of images from p it makes images from ``p · exp(s · goal)``. Where p is normal and
    the goal linear this is exact: guided from pure noise, an image moves by s · Σ · ∇goal, the way on which the goal changes
    most for how plausible images stay. The gradient goes through one look of the denoiser, never through the chain.

    Args:
        noise: that the denoiser sees.
        schedule: of the levels.
        goal: what is to rise.
        spread: of the logits; a dose is a scale of dose / spread.
        null: another goal. Its gradient is taken instead, scaled to the length of the goal's: the same push elsewhere.

    Raises:
        ModelError: a goal without a gradient.
    """

    noise: Noise
    schedule: Schedule
    goal: Goal
    null: Goal | None = None
    spread: float = 1.0

    def by(self, doses: Tensor) -> Guide:
        """Steps that are guided.

        Args:
            doses: s · spread, (N,), of each image; below 0 the goal is to fall.
        """
        scale = doses / self.spread

        def step(x: Tensor, level: int) -> Tensor:
            with torch.enable_grad():
                x = x.detach().requires_grad_(True)
                seen = self.noise(x, self.schedule.time(level))
                push = self._push(x, self.schedule.clean(seen, level, x))
            each = scale.reshape(-1, *(1,) * (x.ndim - 1)).to(push)
            leaning: Tensor = seen.detach() - each * (1 - self.schedule.kept(level)) ** 0.5 * push
            return leaning

        return step

    def led_by(self, null: Goal) -> Guidance:
        return replace(self, null=null)

    def _push(self, x: Tensor, clean: Tensor) -> Tensor:
        if self.null is None:
            return gradient_of(self.goal, clean, x)
        wanted = lengths(gradient_of(self.goal, clean, x, again=True))
        found = gradient_of(self.null, clean, x)
        pushed: Tensor = found * wanted / lengths(found).clamp_min(1e-30)
        return pushed


def gradient_of(goal: Goal, clean: Tensor, x: Tensor, *, again: bool = False) -> Tensor:
    """(N, C, *S) of a goal on clean images that come of x.

    Raises:
        ModelError: there is none.
    """
    reached = goal(clean)
    if not reached.requires_grad:
        raise ModelError(
            "classifier: gives no gradient with respect to the image, which guides a diffusion; explain it with another "
            "generator.family"
        )
    return torch.autograd.grad(reached.sum(), x, retain_graph=again)[0]


def lengths(x: Tensor) -> Tensor:
    """(N, 1, …)."""
    found: Tensor = torch.linalg.vector_norm(x.flatten(1), dim=1).reshape(-1, *(1,) * (x.ndim - 1))
    return found
