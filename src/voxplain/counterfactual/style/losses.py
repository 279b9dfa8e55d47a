"""What generator and discriminator learn by (Karras et al., CVPR 2020; Mescheder et al., ICML 2018)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def fooling(of_fakes: Tensor) -> Tensor:
    """The generator's loss, non-saturating: ``softplus(−D(G(z)))``, (N,) to a mean."""
    return F.softplus(-of_fakes).mean()


def telling(of_reals: Tensor, of_fakes: Tensor) -> Tensor:
    """The discriminator's: ``softplus(D(G(z))) + softplus(−D(x))``."""
    return F.softplus(of_fakes).mean() + F.softplus(-of_reals).mean()


def gradient_penalty(of_reals: Tensor, reals: Tensor) -> Tensor:
    """R1: the mean over images of ``|∂D/∂x|²``, real images only.

    Args:
        of_reals: (N,) the discriminator's, of ``reals``, which need gradients.
        reals: (N, C, *S).
    """
    (slope,) = torch.autograd.grad(of_reals.sum(), reals, create_graph=True)
    return slope.square().flatten(1).sum(1).mean()


def path_lengths(images: Tensor, w: Tensor, *, seed: int) -> Tensor:
    """(N,) lengths of ``Jᵀ y`` for normal images y: how far images move with their styles, whichever way.

    Args:
        images: (N, C, *S), made of ``w``.
        w: (N, D), which need gradients.
        seed: of y.
    """
    generator = torch.Generator(images.device).manual_seed(seed)
    noise = torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
    voxels = math.prod(images.shape[2:])
    (slope,) = torch.autograd.grad((images * noise).sum() / math.sqrt(voxels), w, create_graph=True)
    return slope.square().flatten(1).sum(1).sqrt()


def usual_penalty(shape: tuple[int, ...], batch: int) -> float:
    """γ of R1 where it is not given: 0.0002 · voxels / batch (StyleGAN2-ADA's ``auto``, for squares).

    >>> round(usual_penalty((1, 256, 256), 32), 3)
    0.41
    """
    return 0.0002 * math.prod(shape[1:]) / batch
