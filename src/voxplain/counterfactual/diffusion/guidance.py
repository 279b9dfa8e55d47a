"""Steps that lean towards what a classifier wants to see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.counterfactual.diffusion.inversion import Guide
from voxplain.counterfactual.diffusion.schedule import Noise, Schedule
from voxplain.errors import ModelError

Goal = Callable[[Tensor], Tensor]  # clean images (N, C, *S) on the denoiser's scale to (N,)


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
        null: another goal. Its gradient is taken instead, scaled to the length of the goal's: the same push elsewhere.

    Raises:
        ModelError: a goal without a gradient.
    """

    noise: Noise
    schedule: Schedule
    goal: Goal
    null: Goal | None = None

    def by(self, scale: Tensor) -> Guide:
        """Steps that are guided.

        Args:
            scale: s, (N,), of each image; below 0 the goal is to fall.
        """

        def step(x: Tensor, level: int) -> Tensor:
            with torch.enable_grad():
                x = x.detach().requires_grad_(True)
                seen = self.noise(x, self.schedule.time(level))
                push = self._push(x, self.schedule.clean(seen, level, x))
            each = scale.reshape(-1, *(1,) * (x.ndim - 1)).to(push)
            leaning: Tensor = seen.detach() - each * (1 - self.schedule.kept(level)) ** 0.5 * push
            return leaning

        return step

    def _push(self, x: Tensor, clean: Tensor) -> Tensor:
        if self.null is None:
            return _gradient(self.goal, clean, x)
        wanted = _lengths(_gradient(self.goal, clean, x, again=True))
        found = _gradient(self.null, clean, x)
        pushed: Tensor = found * wanted / _lengths(found).clamp_min(1e-30)
        return pushed


def _gradient(goal: Goal, clean: Tensor, x: Tensor, *, again: bool = False) -> Tensor:
    reached = goal(clean)
    if not reached.requires_grad:
        raise ModelError(
            "classifier: gives no gradient with respect to the image, which guides a diffusion; explain it with another "
            "generator.family"
        )
    return torch.autograd.grad(reached.sum(), x, retain_graph=again)[0]


def _lengths(x: Tensor) -> Tensor:
    """(N, 1, …)."""
    found: Tensor = torch.linalg.vector_norm(x.flatten(1), dim=1).reshape(-1, *(1,) * (x.ndim - 1))
    return found
