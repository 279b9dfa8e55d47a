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
    _check_features(a, b)
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


def frechet(a: Tensor, b: Tensor, *, shrink: bool = False) -> float:
    """FID: the Fréchet distance of normal distributions with the features' means and covariances (Heusel et al., 2017).

    ``|m_a − m_b|² + tr(A + B − 2 (A^½ B A^½)^½)``. Biased: fewer images give more. Compare sets of one size alone, and
    of many more images than features.

    Args:
        a, b: features (N, F) and (M, F), at least two of each.
        shrink: draw each covariance towards a multiple of the identity by Ledoit and Wolf's formula (J Multivar Anal, 2004),
            which makes few images less noisy, and the distance not quite that of their own covariances.

    Raises:
        InputError: other shapes.
    """
    _check_features(a, b)
    one, other = (covariance(x.double(), shrink=shrink) for x in (a, b))
    root = _root(one)
    both = torch.linalg.eigvalsh(root @ other @ root).clamp_min(0).sqrt().sum()
    apart = (a.double().mean(0) - b.double().mean(0)).square().sum()
    return max(float(apart + one.trace() + other.trace() - 2 * both), 0.0)


def covariance(x: Tensor, *, shrink: bool = False) -> Tensor:
    """(F, F) of features (N, F), by 1 / (N − 1); shrunk, Ledoit and Wolf's estimate, which is by 1 / N."""
    n, f = x.shape
    centred = x - x.mean(0)
    if not shrink:
        return centred.T @ centred / (n - 1)
    found = centred.T @ centred / n
    flat = found.trace() / f * torch.eye(f, dtype=x.dtype, device=x.device)
    away = (found - flat).square().sum()
    # how much the squares of single images scatter about their mean: the estimate's own variance
    scatter = (centred.square().sum(1).square().sum() / n - found.square().sum()) / n
    share = (scatter / away).clamp(0, 1) if float(away) > 0 else torch.zeros_like(away)
    return (1 - share) * found + share * flat


def _root(matrix: Tensor) -> Tensor:
    """The symmetric square root of a covariance."""
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    return root


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


def distinctness(images: Tensor, real: Tensor, most: int = 512) -> float:
    """How far images are from the most similar other one, as a share of how far as many real ones are; medians.

    Two images again and again may differ as much as real ones do (`diversity`), but each has a double.

    Args:
        images, real: (N, C, *S) and (M, C, *S); as many of each are compared.
        most: images that are compared.
    """
    count = min(len(images), len(real), most)
    if count < 2:
        raise InputError(f"images: found {count} to compare, expected two or more")
    own, other = (_apart(x[:count].flatten(1).double()) for x in (images, real))
    return float(own / other)


def _apart(flat: Tensor) -> Tensor:
    """The median distance of each to the nearest other one."""
    far = torch.cdist(flat, flat)
    return far.fill_diagonal_(torch.inf).amin(1).median()


def nearest(features: Tensor, learned: Tensor) -> Tensor:
    """(N,) distance of each image's features to the nearest of those that were learned from."""
    return torch.cdist(features, learned).amin(1)


def _check_features(a: Tensor, b: Tensor) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise InputError(
            f"features: found shapes {tuple(a.shape)} and {tuple(b.shape)}, expected (N, F) and (M, F), two or more"
        )
