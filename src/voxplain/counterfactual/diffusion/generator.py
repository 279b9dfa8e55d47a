"""A diffusion as a family of images: an image's code is the noisy image that it comes from without anything drawn."""

from __future__ import annotations

from copy import copy

import torch
from torch import Tensor, nn

from voxplain.counterfactual.diffusion.conditional import ConditionalDenoiser
from voxplain.counterfactual.diffusion.denoiser import Denoiser
from voxplain.counterfactual.diffusion.inversion import denoised, inverted
from voxplain.counterfactual.diffusion.schedule import Noise, Schedule, begin
from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.errors import InputError

_BATCH = 64


class DiffusionGenerator(nn.Module):
    """A trained denoiser, with how far up the noise images are taken.

    Args:
        denoiser: trained.
        shape: (C, *S).
        plausible: mean and covariance of images, flattened, in the directions in which they vary.
        steps: levels of the whole schedule.
        depth: share of it that is inverted; 1 takes all of the image away.
    """

    def __init__(
        self, denoiser: Denoiser, shape: tuple[int, ...], plausible: LatentStatistics, *, steps: int = 25,
        depth: float = 0.4,
    ) -> None:  # fmt: skip
        super().__init__()
        self.denoiser, self.shape = denoiser, tuple(shape)
        self.register_buffer("mean", plausible.mean)
        self.register_buffer("factor", plausible.factor)
        self._told: Noise | None = None  # a module would be one of its own parts
        self.schedule = Schedule(denoiser.kind, steps)
        self.level = self.schedule.level(depth)
        self.requires_grad_(False).eval()

    mean: Tensor
    factor: Tensor

    @property
    def noise(self) -> Noise:
        """That the denoiser sees, told nothing or, of `told`, a logit."""
        return self.denoiser if self._told is None else self._told

    @property
    def plausible(self) -> LatentStatistics:
        """Of images, flattened."""
        return LatentStatistics(self.mean, self.factor)

    @property
    def statistics(self) -> LatentStatistics:
        """Of codes, as far as images are normal: at every level the image's share of the variance, and the noise's."""
        kept, spread = self.schedule.kept(self.level), self.denoiser.spread
        lengths = self.factor.norm(dim=0, keepdim=True)
        wider = (kept * (lengths / spread) ** 2 + 1 - kept).sqrt()
        return LatentStatistics(kept**0.5 * self.denoiser.inside(self.mean), self.factor / lengths * wider)

    def told(self, logits: Tensor) -> DiffusionGenerator:
        """The same, whose codes and images are those of images of which a classifier says this.

        Args:
            logits: one of all images, or of each of the images (N,), 64 at most, that it will be given.

        Raises:
            InputError: its denoiser knows no conditions.
        """
        if not isinstance(self.denoiser, ConditionalDenoiser):
            raise InputError("generator: was trained without conditions, expected conditional: true")
        other = copy(self)
        other._told = self.denoiser.given(logits)
        return other

    def encode(self, images: Tensor) -> Tensor:
        return self.latents(images)[-1].flatten(1)

    def latents(self, images: Tensor) -> list[Tensor]:
        """Images (N, C, *S) at all levels up to the code's, on the denoiser's scale."""
        if tuple(images.shape[1:]) != self.shape:
            raise InputError(
                f"images: found shape {tuple(images.shape[1:])}, expected {self.shape} as it was trained on"
            )
        parts = [
            inverted(self.noise, self.schedule, self.denoiser.inside(part), self.level)
            for part in torch.split(images, _BATCH)
        ]
        return [torch.cat(level) for level in zip(*parts, strict=True)]

    def decode(self, codes: Tensor) -> Tensor:
        parts = torch.split(codes.reshape(-1, *self.shape), _BATCH)
        found = [denoised(self.noise, self.schedule, part, self.level) for part in parts]
        return self.denoiser.outside(torch.cat(found))

    def sample(self, count: int, *, seed: int) -> Tensor:
        """Codes: pure noise, brought down to their level."""
        noise = begin((count, *self.shape), seed).to(self.mean)
        parts = torch.split(noise, _BATCH)
        found = [
            denoised(self.denoiser, self.schedule, part, self.schedule.steps, last=self.level)
            for part in parts
        ]
        return torch.cat(found).flatten(1)


def plausible_of(images: Tensor, *, share: float = 0.95) -> LatentStatistics:
    """Mean and covariance of images (N, C, *S) in their leading components.

    Args:
        images: of the training part. Of few images only as many components as a quarter of them are known well enough.
        share: of the variance, at most.
    """
    flat = images.flatten(1)
    mean = flat.mean(0)
    _, spread, basis = torch.linalg.svd((flat - mean).double(), full_matrices=False)
    power = (spread**2).cumsum(0) / (spread**2).sum()
    count = max(1, min(int((power < share).sum()) + 1, len(images) // 4))
    factor = basis[:count].T * (spread[:count] / (len(images) - 1) ** 0.5)
    return LatentStatistics(mean, factor.to(flat.dtype))
