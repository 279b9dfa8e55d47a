"""How far generated images are from real ones, as sets."""

from __future__ import annotations

import torch
from torch import Tensor

from voxplain.errors import InputError


def kernel_distance(a: Tensor, b: Tensor) -> float:
    """KID (Bińkowski et al., ICLR 2018): the squared maximum mean discrepancy with the kernel ``(x · y / F + 1)³``.

    About 0 for two draws of one distribution, and then often below 0. Unbiased for any number of images, so that small sets
    can be compared.

    Args:
        a, b: features (N, F) and (M, F), at least two of each; their scale matters, see `alike_scaled`.

    Raises:
        InputError: other shapes.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise InputError(
            f"features: found shapes {tuple(a.shape)} and {tuple(b.shape)}, expected (N, F) and (M, F), two or more"
        )
    x, y = a.double(), b.double()

    def kernel(p: Tensor, q: Tensor) -> Tensor:
        return (p @ q.T / p.shape[1] + 1) ** 3

    within = [(k.sum() - k.trace()) / (len(k) * (len(k) - 1)) for k in (kernel(x, x), kernel(y, y))]
    return float(within[0] + within[1] - 2 * kernel(x, y).mean())


def kernel_null(real: Tensor, *, draws: int = 200, level: float = 0.95, seed: int = 0) -> float:
    """What KID comes to by chance: its quantile between random halves of real images' features (N, F).

    Raises:
        InputError: fewer than four.
    """
    if real.ndim != 2 or len(real) < 4:
        raise InputError(f"features: found shape {tuple(real.shape)}, expected (N, F) of four images or more")
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(draws):
        order = torch.randperm(len(real), generator=generator).to(real.device)
        half = len(real) // 2
        found.append(kernel_distance(real[order[:half]], real[order[half:]]))
    return float(torch.tensor(found, dtype=torch.float64).quantile(level))


def frechet(a: Tensor, b: Tensor) -> float:
    """FID: the Fréchet distance of two normal distributions with the features' means and covariances (Heusel et al., 2017).

    Biased: fewer images give more. Compare sets of one size alone, and of many more images than features.

    Args:
        a, b: features (N, F) and (M, F).
    """
    from monai.metrics import FIDMetric

    return float(FIDMetric()(a.double(), b.double()))


def alike_scaled(real: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Features with mean 0 and deviation 1 over the real images, so that no feature rules by its unit."""
    mean, deviation = real.mean(0), real.std(0)
    kept = deviation > 1e-6 * deviation.max()
    return tuple((f[:, kept] - mean[kept]) / deviation[kept] for f in (real, *others))


def diversity(images: Tensor, real: Tensor) -> float:
    """How much generated images differ from each other, as a share of how much real ones do; 0 is one image again and again.

    Args:
        images, real: (N, C, *S) and (M, C, *S).
    """
    own, other = (x.flatten(1).double().var(0).sum() for x in (images, real))
    return float((own / other).sqrt())


def nearest(features: Tensor, learned: Tensor) -> Tensor:
    """(N,) distance of each image's features to the nearest of those that were learned from."""
    return torch.cdist(features, learned).amin(1)
