"""How much noise there is at which step, and MONAI's deterministic steps between levels of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from voxplain.errors import InputError

TIMES = 1000  # of the schedule that networks are trained with
KINDS = ("linear_beta", "scaled_linear_beta", "sigmoid_beta", "cosine")

Noise = Callable[[Tensor, int], Tensor]  # (N, C, *S) at a time: the noise in them, of variance 1


@dataclass(frozen=True)
class Schedule:
    """Levels 0, 1, … of noise, evenly spaced in time; an image counts as level 0, whose noise is far below its own.

    ``x_t = √a_t · x_0 + √(1 − a_t) · ε``. Steps are DDIM's (Song et al., ICLR 2021), up as well as down, by MONAI.

    Args:
        kind: one of MONAI's noise schedules.
        steps: levels above 0.

    Raises:
        InputError: another kind, a number of steps that cannot be.
    """

    kind: str = "scaled_linear_beta"
    steps: int = 25

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"schedule: found {self.kind!r}, expected {', '.join(KINDS)}")
        if not 1 <= self.steps < TIMES:
            raise InputError(f"steps: found {self.steps}, expected 1 … {TIMES - 1}")

    def level(self, depth: float) -> int:
        """The level at a share of the schedule, at least the first.

        Raises:
            InputError: a share that is none.
        """
        if not 0 < depth <= 1:
            raise InputError(f"depth: found {depth}, expected a share of the schedule, above 0 and up to 1")
        return max(1, round(depth * self.steps))

    def time(self, level: int) -> int:
        """The network's time at a level."""
        return level * self._stride

    def kept(self, level: int) -> float:
        """a_t: the image's share of the variance."""
        return float(self.alphas[self.time(level)])

    @cached_property
    def alphas(self) -> Tensor:
        """(1000,) a_t at all times."""
        found: Tensor = self._scheduler.alphas_cumprod
        return found

    def clean(self, noise: Tensor, level: int, x: Tensor) -> Tensor:
        """What is left of x when its noise is taken away at once."""
        kept = self.kept(level)
        found: Tensor = (x - (1 - kept) ** 0.5 * noise) / kept**0.5
        return found

    def up(self, noise: Tensor, level: int, x: Tensor) -> Tensor:
        """From a level to the next one, with more noise."""
        found: Tensor = self._scheduler.reversed_step(noise, self.time(level), x)[0]
        return found

    def down(self, noise: Tensor, level: int, x: Tensor) -> Tensor:
        """From a level to the one before, with less noise."""
        found: Tensor = self._scheduler.step(noise, self.time(level), x)[0]
        return found

    @property
    def _stride(self) -> int:
        return (TIMES - 1) // self.steps

    @cached_property
    def _scheduler(self) -> Any:
        from monai.networks.schedulers import DDIMScheduler

        made = DDIMScheduler(num_train_timesteps=TIMES, schedule=self.kind, clip_sample=False)
        # its steps are the quotient of these two long, while its own list of times is spaced otherwise
        made.num_train_timesteps, made.num_inference_steps = self._stride, 1
        return made


def noised(alphas: Tensor, images: Tensor, noise: Tensor, times: Tensor) -> Tensor:
    """Images (N, C, *S) at times (N,)."""
    kept = alphas.to(images)[times].reshape(-1, *(1,) * (images.ndim - 1))
    return kept.sqrt() * images + (1 - kept).sqrt() * noise


def begin(shape: tuple[int, ...], seed: int) -> Tensor:
    """Noise (N, C, *S) that depends on the seed alone."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
