"""What images are compared by, where pixels would say too much of noise."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn


class RandomFeatures(nn.Module):
    """A convolutional network that was never trained: it favours nothing that photographs show.

    Distances by it tell which of two generators is nearer to the data; their size means nothing by itself. Every level gives
    the mean and the deviation of its channels over all places, and the means of quarters of the image, so that sites count.

    Args:
        channels: C.
        spatial_dims: 2 or 3.
        width: features of every level.
        levels: each half as large.
        seed: of the weights.
    """

    def __init__(
        self, channels: int, spatial_dims: int, *, width: int = 24, levels: int = 3, seed: int = 0
    ) -> None:
        super().__init__()
        conv = nn.Conv2d if spatial_dims == 2 else nn.Conv3d
        self.dims = spatial_dims
        generator = torch.Generator().manual_seed(seed)
        self.layers = nn.ModuleList(
            conv(channels if k == 0 else width, width, 3, padding=1, stride=1 if k == 0 else 2, bias=False)
            for k in range(levels)
        )
        for layer in self.layers:
            weight = layer.weight
            assert isinstance(weight, Tensor)
            drawn = torch.randn(weight.shape, generator=generator)
            # no sum: what is bright everywhere must not outshine edges
            drawn -= drawn.flatten(2).mean(2).reshape(*drawn.shape[:2], *(1,) * spatial_dims) * 0.5
            with torch.no_grad():
                weight.copy_(drawn * (2 / drawn[0].numel()) ** 0.5)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, *S) to (N, F)."""
        pool = nn.functional.adaptive_avg_pool2d if self.dims == 2 else nn.functional.adaptive_avg_pool3d
        found = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.1)
            flat = x.flatten(2)
            found += [flat.mean(2), flat.std(2), pool(x, 2).flatten(1)]
        return torch.cat(found, 1)


class Standardised(nn.Module):
    """Features with mean 0 and deviation 1 over some images, so that none rules by its unit; those that never vary are left
    out.

    Args:
        features: (N, C, *S) to (N, F).
        mean, deviation: (F,).
    """

    def __init__(self, features: nn.Module, mean: Tensor, deviation: Tensor) -> None:
        super().__init__()
        self.features = features
        self.mean, self.deviation = mean, deviation
        self.kept = deviation > 1e-6 * deviation.max()

    @classmethod
    def of(cls, features: nn.Module, found: Tensor) -> Self:
        """By features (N, F) that were found."""
        return cls(features, found.mean(0), found.std(0))

    def scaled(self, found: Tensor) -> Tensor:
        """Features (N, F) that were found, as this module gives them."""
        return (found[:, self.kept] - self.mean[self.kept]) / self.deviation[self.kept]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, *S) to (N, F')."""
        return self.scaled(self.features(x))


def in_batches(features: nn.Module, images: Tensor, batch: int = 128) -> Tensor:
    """(N, F) of many images (N, C, *S)."""
    with torch.no_grad():
        return torch.cat([features(part) for part in torch.split(images, batch)])
