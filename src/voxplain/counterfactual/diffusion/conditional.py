"""A denoiser that is told what a classifier says of the image that it looks for, or not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from voxplain.counterfactual.diffusion.denoiser import Denoiser, unet
from voxplain.counterfactual.diffusion.schedule import Noise
from voxplain.errors import InputError


def conditional_unet(
    shape: Sequence[int], *, widths: Sequence[int] = (16, 32, 64), residual: int = 1, attention: bool = True
) -> nn.Module:
    """`unet` with MONAI's place for a class, in which a number that may be unknown is embedded instead.

    It takes (N, C, *S), times (N,), and as ``class_labels`` (N, 2) from `ConditionalDenoiser.told`.
    """
    # MONAI adds what is told to channels before they are normalised; of groups of one channel nothing of it would be left
    groups = min(8, max(1, min(widths) // 2))
    made = unet(shape, widths=widths, residual=residual, attention=attention, classes=1, groups=groups)
    width = 4 * widths[0]  # of MONAI's embedding of time
    made.class_embedding = nn.Sequential(nn.Linear(2, width), nn.SiLU(), nn.Linear(width, width))
    return made


class ConditionalDenoiser(Denoiser):
    """A denoiser with a logit as its condition, trained with and without it (Ho & Salimans, 2022).

    Asked as any denoiser it is told nothing.

    Args:
        network: as of `conditional_unet`.
        kind, centre, spread: as of any denoiser.
        middle, unit: mean and standard deviation of the logits that it is trained with.
    """

    middle: Tensor
    unit: Tensor

    def __init__(
        self, network: nn.Module, kind: str, centre: float = 0.0, spread: float = 1.0, middle: float = 0.0,
        unit: float = 1.0,
    ) -> None:  # fmt: skip
        super().__init__(network, kind, centre, spread)
        self.register_buffer("middle", torch.tensor(float(middle)))
        self.register_buffer("unit", torch.tensor(float(unit)))

    def told(self, logits: Tensor, known: Tensor) -> Tensor:
        """(N, 2): the standardised logit, 0 where it is unknown, and whether it is known.

        Args:
            logits: (N,).
            known: (N,) bool.
        """
        standard = (logits - self.middle) / self.unit
        return torch.stack([torch.where(known, standard, torch.zeros_like(standard)), known.to(standard)], 1)

    def velocity(self, x: Tensor, times: Tensor, told: Tensor | None = None) -> Tensor:
        """Of noisy images (N, C, *S) at times (N,); without a condition, or with one (N, 2)."""
        if told is None:
            told = x.new_zeros(len(x), 2)
        found: Tensor = self.network(x, times, class_labels=told.to(x))
        return found

    def given(self, logits: Tensor) -> Noise:
        """The noise in images whose logits (N,) are known; one logit stands for all images.

        Raises:
            InputError: logits that are not finite.
        """
        if not bool(torch.isfinite(logits).all()):
            raise InputError("condition: found a logit that is not finite")

        def noise(x: Tensor, time: int) -> Tensor:
            each = logits.to(x.device).expand(len(x))
            told = self.told(each, torch.ones_like(each, dtype=torch.bool))
            velocity = self.velocity(x, torch.full((len(x),), time, device=x.device), told)
            return self.noise_of(velocity, x, time)

        return noise


def with_logits(images: Tensor, logits: Tensor) -> Tensor:
    """Images (N, C, *S) with what is said of them (N,) as one more channel, so that loaders and batches carry it along."""
    more = logits.to(images).reshape(-1, *(1,) * (images.ndim - 1)).expand(-1, 1, *images.shape[2:])
    return torch.cat([images, more], 1)


def without_logits(images: Tensor) -> tuple[Tensor, Tensor]:
    """What `with_logits` joined."""
    return images[:, :-1], images[:, -1].flatten(1)[:, 0]


def logit_scale(logits: Tensor) -> dict[str, float]:
    """Mean and standard deviation of logits (N,), by the names that `ConditionalDenoiser` has for them."""
    return {"middle": float(logits.double().mean()), "unit": float(logits.double().std())}
