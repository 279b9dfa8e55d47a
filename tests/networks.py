"""Tiny seeded networks and cases that the tests of several rooms share."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from voxplain.case import Case, Geometry


def conv(dims: int) -> type[nn.Module]:
    return nn.Conv2d if dims == 2 else nn.Conv3d


def smooth_segmenter(dims: int, channels: int = 1, classes: int = 3, seed: int = 0) -> nn.Module:
    """Two convolutions with a smooth activation: quadrature converges fast."""
    torch.manual_seed(seed)
    make = conv(dims)
    net = nn.Sequential(make(channels, 4, 3, padding=1), nn.Softplus(), make(4, classes, 3, padding=1))
    with torch.no_grad():
        # no class wins by its bias alone, so that every class is present
        net[2].weight -= net[2].weight.mean(dim=tuple(range(2, dims + 2)), keepdim=True)
        net[2].weight *= 4
        net[2].bias.zero_()
    return net


class InstanceNormSegmenter(nn.Module):
    """What MONAI's UNet is made of: convolution, InstanceNorm, PReLU, down and up."""

    def __init__(self, dims: int, classes: int = 3, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        make = conv(dims)
        norm = nn.InstanceNorm2d if dims == 2 else nn.InstanceNorm3d
        self.first = nn.Sequential(make(1, 4, 3, padding=1), norm(4), nn.PReLU())
        self.down = nn.Sequential(make(4, 6, 3, stride=2, padding=1), norm(6), nn.ReLU(inplace=True))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.head = make(10, classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.first(x)
        return self.head(torch.cat([a, self.up(self.down(a))], 1))


def classifier(dims: int, channels: int = 1, classes: int = 3, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    make = conv(dims)
    pool = nn.AdaptiveAvgPool2d(1) if dims == 2 else nn.AdaptiveAvgPool3d(1)
    return nn.Sequential(
        make(channels, 4, 3, padding=1),
        nn.Softplus(),
        make(4, 5, 3, stride=2, padding=1),
        nn.Tanh(),
        pool,
        nn.Flatten(),
        nn.Linear(5, classes),
    )


def self_explaining(dims: int, channels: int = 1, classes: int = 3, seed: int = 0) -> nn.Module:
    """A classifier that gives the places' shares of its logits itself."""
    from voxplain.inherent import EvidenceClassifier

    torch.manual_seed(seed)
    backbone = nn.Sequential(conv(dims)(channels, 4, 3, padding=1), nn.Softplus())
    return EvidenceClassifier(backbone, 4, classes, "topk:share=0.2", spatial_dims=dims)


def random_case(shape: tuple[int, ...], channels: int = 1, seed: int = 0, **kwargs: object) -> Case:
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(channels, *shape)).astype(np.float32)
    geometry = Geometry(np.eye(4), shape) if len(shape) == 3 else None
    return Case(id="random", image=image, geometry=geometry, **kwargs)
