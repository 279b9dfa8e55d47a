"""A classifier whose features stay in the last axis, as in ConvNeXt's blocks and in Swin transformers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CONV: dict[int, type[nn.Conv2d | nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}
WIDTHS = (6, 8)


class Block(nn.Module):
    """A depthwise convolution, LayerNorm and two linear layers over the features, scaled, beside the identity."""

    def __init__(self, dims: int, width: int) -> None:
        super().__init__()
        self.depthwise = CONV[dims](width, width, 5, padding=2, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.scale = nn.Parameter(0.5 + torch.rand(width))

    def forward(self, t: Tensor) -> Tensor:
        return t + self.scale * self.mlp(self.norm(self.depthwise(t.movedim(-1, 1)).movedim(1, -1)))


class ConvNeXt(nn.Module):
    """Liu et al. 2022, arXiv:2201.03545, with two stages of one block; every feature map is (N, *spatial, features)."""

    def __init__(self, dims: int, classes: int = 3) -> None:
        super().__init__()
        first, second = WIDTHS
        self.stem = CONV[dims](1, first, 2, 2)
        self.first = Block(dims, first)
        self.norm = nn.LayerNorm(first, eps=1e-6)
        self.down = CONV[dims](first, second, 2, 2)
        self.second = Block(dims, second)
        self.last = nn.LayerNorm(second, eps=1e-6)
        self.head = nn.Linear(second, classes)

    def forward(self, x: Tensor) -> Tensor:
        t = self.norm(self.first(self.stem(x).movedim(1, -1)))
        t = self.second(self.down(t.movedim(-1, 1)).movedim(1, -1))
        return self.head(self.last(t.flatten(1, -2).mean(1)))
