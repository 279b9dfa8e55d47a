"""Training of a denoiser: noise of a drawn strength is added to images, and is to be told from them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from voxplain.counterfactual.diffusion.conditional import ConditionalDenoiser, without_logits
from voxplain.counterfactual.diffusion.denoiser import Denoiser
from voxplain.counterfactual.diffusion.inversion import denoised
from voxplain.counterfactual.diffusion.schedule import TIMES, Schedule, begin, noised
from voxplain.counterfactual.measure.compared import compared
from voxplain.counterfactual.training.settings import StyleTraining
from voxplain.counterfactual.training.task import Averaged, GeneratorTask
from voxplain.inherent.training.history import Row

_WARM, _RAMP, _LONGEST = 100, 0.05, 1.0  # steps; share of what was seen; length of a gradient
_SAMPLES, _LOOKS = 64, 4  # of a round; times at which each held-out image is looked at


class DiffusionTask(GeneratorTask):
    """A denoiser, and the average of its weights, which is what is kept.

    Args:
        denoiser: trained in place; of a conditional one, the last channel of images is what the classifier says of them.
        shape: (C, *S).
        settings: how; the rate does not fall, so that a longer training goes on where a shorter one ended.
        features: that rounds are measured by; see `compared`.
        dropped: share of the images whose condition is left out.
    """

    columns = ("held-out loss", "kid", "fid", "diversity", "distinctness")
    monitor = "held-out loss"

    def __init__(
        self, denoiser: Denoiser, shape: tuple[int, ...], settings: StyleTraining, features: nn.Module | None = None,
        *, dropped: float = 0.15,
    ) -> None:  # fmt: skip
        self.denoiser, self.shape, self.settings = denoiser, tuple(shape), settings
        self.dropped = dropped
        self.kept = copy.deepcopy(denoiser).requires_grad_(False).eval()
        self._optimiser = torch.optim.Adam(denoiser.parameters(), settings.learning_rate)
        self._features = features
        self._pictures: Tensor | None = None

    def modules(self) -> Mapping[str, nn.Module]:
        return {"denoiser": self.denoiser, "kept": self.kept}

    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"denoiser": self._optimiser}

    def learn(self, images: Tensor, step: int, seed: int, averaged: Averaged) -> Row:
        self.denoiser.train()
        images, logits = _parted(self.denoiser, images)
        generator = torch.Generator().manual_seed(seed)
        times = torch.randint(TIMES, (len(images),), generator=generator).to(images.device)
        noise = torch.randn(images.shape, generator=generator).to(images)
        told = None
        if isinstance(self.denoiser, ConditionalDenoiser) and logits is not None:
            known = torch.rand(len(images), generator=generator) >= self.dropped
            told = self.denoiser.told(logits, known.to(images.device))
        loss = _loss(self.denoiser, images, noise, times, told)
        for group in self._optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * min(1.0, (step + 1) / _WARM)
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        averaged(self.denoiser)
        nn.utils.clip_grad_norm_(self.denoiser.parameters(), _LONGEST)
        self._optimiser.step()
        self._average(step * self.settings.batch)
        return {"loss": float(loss.detach())}

    def judge(self, images: Tensor) -> Row:
        real, logits = _parted(self.denoiser, images)
        samples = self._sampled(min(len(real), _SAMPLES), real)
        self._pictures = samples[:32]
        return {"held-out loss": self._held_out(real, logits), **compared(samples, real, self._features)}

    def pictures(self) -> Tensor | None:
        return self._pictures

    def _held_out(self, images: Tensor, logits: Tensor | None) -> float:
        """The average's loss at times and with noise that are the same in every round; conditions are all told."""
        told = None
        if isinstance(self.kept, ConditionalDenoiser) and logits is not None:
            told = self.kept.told(logits, torch.ones_like(logits, dtype=torch.bool))
        losses = []
        for look in range(_LOOKS):
            spaced = ((torch.arange(len(images)) + (look + 0.5) / _LOOKS) / len(images) * TIMES).long()
            noise, times = begin(tuple(images.shape), look).to(images), spaced.to(images.device)
            for start in range(0, len(images), 64):
                part = slice(start, start + 64)
                of = None if told is None else told[part]
                loss = _loss(self.kept, images[part], noise[part], times[part], of)
                losses.append(float(loss) * len(images[part]))
        return sum(losses) / (_LOOKS * len(images))

    def _sampled(self, count: int, like: Tensor) -> Tensor:
        schedule = Schedule(self.denoiser.kind)
        x = begin((count, *self.shape), 0).to(like)
        return self.kept.outside(denoised(self.kept, schedule, x, schedule.steps))

    @torch.no_grad()
    def _average(self, seen: int) -> None:
        # an average over the first images would remember what nothing was learned from yet
        half_life = min(self.settings.average, max(seen * _RAMP, 1e-8))
        decay = 0.5 ** (self.settings.batch / half_life)
        for kept, now in zip(self.kept.parameters(), self.denoiser.parameters(), strict=True):
            kept.lerp_(now, 1 - decay)


def _parted(denoiser: Denoiser, images: Tensor) -> tuple[Tensor, Tensor | None]:
    """Images, and what is said of them where the denoiser is told."""
    return without_logits(images) if isinstance(denoiser, ConditionalDenoiser) else (images, None)


def _loss(
    denoiser: Denoiser, images: Tensor, noise: Tensor, times: Tensor, told: Tensor | None = None
) -> Tensor:
    """Mean squared error of the velocity."""
    clean = denoiser.inside(images)
    kept: Any = denoiser.alphas[times].reshape(-1, *(1,) * (images.ndim - 1))
    wanted = kept.sqrt() * noise - (1 - kept).sqrt() * clean
    seen = denoiser.velocity(noised(denoiser.alphas, clean, noise, times), times, told)
    loss: Tensor = (seen - wanted).square().mean()
    return loss
