"""The network that tells noise from image: MONAI's, with the images' own scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from voxplain.counterfactual.diffusion.schedule import Schedule
from voxplain.errors import InputError


def unet(
    shape: Sequence[int], *, widths: Sequence[int] = (16, 32, 64), residual: int = 1, attention: bool = True,
    classes: int | None = None, groups: int = 8,
) -> nn.Module:  # fmt: skip
    """MONAI's U-Net of diffusion models (Rombach et al., CVPR 2022), which halves the size between its widths.

    Args:
        shape: (C, *S), every axis divisible by 2 to the number of widths less one.
        widths: channels from full size down, multiples of 8.
        residual: blocks per width.
        attention: whether places at the smallest size look at each other.
        classes: that it is told; None of a network that is told none.
        groups: of channels that are normalised together, a divisor of all widths.

    Raises:
        InputError: a size that cannot be halved as often, widths that have no groups.
    """
    from monai.networks.nets import DiffusionModelUNet

    channels, *size = shape
    step = 2 ** (len(widths) - 1)
    if len(size) not in (2, 3) or any(n % step for n in size):
        raise InputError(f"shape: found {tuple(size)}, expected two or three axes divisible by {step}")
    if any(width % 8 for width in widths):
        raise InputError(f"widths: found {list(widths)}, expected multiples of 8")
    heads = (False,) * (len(widths) - 1) + (attention,)
    made: nn.Module = DiffusionModelUNet(
        spatial_dims=len(size), in_channels=channels, out_channels=channels, channels=tuple(widths),
        attention_levels=heads, num_res_blocks=residual, num_head_channels=widths[-1], norm_num_groups=groups,
        num_class_embeds=classes,
    )  # fmt: skip
    return made


class Denoiser(nn.Module):
    """A network's view of noise, with the mean and the spread by which images come to variance 1.

    The network tells the velocity ``√a · ε − √(1 − a) · x_0`` (Salimans & Ho, ICLR 2022), which is of one size at all times.

    Args:
        network: (N, C, *S) and times (N,) to velocities (N, C, *S).
        kind: the noise schedule that it is trained with.
        centre, spread: mean and standard deviation of the images' voxels.
    """

    centre: Tensor
    spread: Tensor
    alphas: Tensor

    def __init__(self, network: nn.Module, kind: str, centre: float = 0.0, spread: float = 1.0) -> None:
        super().__init__()
        self.network, self.kind = network, kind
        self.register_buffer("centre", torch.tensor(float(centre)))
        self.register_buffer("spread", torch.tensor(float(spread)))
        self.register_buffer("alphas", Schedule(kind).alphas.clone(), persistent=False)

    def inside(self, images: Tensor) -> Tensor:
        """Images as the network knows them."""
        return (images - self.centre) / self.spread

    def outside(self, x: Tensor) -> Tensor:
        """The images of what the network knows."""
        return x * self.spread + self.centre

    def velocity(self, x: Tensor, times: Tensor, told: Tensor | None = None) -> Tensor:
        """Of noisy images (N, C, *S) at times (N,); what is told of them is for those who know conditions."""
        found: Tensor = self.network(x, times)
        return found

    def forward(self, x: Tensor, time: int) -> Tensor:
        """The noise, of variance 1, in images (N, C, *S) that are all at one time."""
        velocity = self.velocity(x, torch.full((len(x),), time, device=x.device))
        return self.noise_of(velocity, x, time)

    def noise_of(self, velocity: Tensor, x: Tensor, time: int) -> Tensor:
        """The noise in images (N, C, *S) at a time, of their velocity."""
        kept = self.alphas[time]
        return kept.sqrt() * velocity + (1 - kept).sqrt() * x


def scale_of(images: Tensor) -> dict[str, Any]:
    """Mean and standard deviation of voxels of images (N, C, *S), by the names that `Denoiser` has for them.

    Raises:
        InputError: images that do not vary.
    """
    spread = float(images.double().std())
    if not spread > 0:
        raise InputError("images: found all alike, expected some that differ")
    return {"centre": float(images.double().mean()), "spread": spread}
