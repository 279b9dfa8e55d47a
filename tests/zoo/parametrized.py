"""A segmentation network whose weights are made by modules of their own: spectral and weight norm."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

CONV: dict[int, type[nn.Conv2d | nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}


class Parametrized(nn.Module):
    """Down, across and up again, with a skip connection."""

    def __init__(self, dims: int, classes: int = 3) -> None:
        super().__init__()
        conv = CONV[dims]
        self.first = spectral_norm(conv(1, 6, 3, padding=1))
        self.down = weight_norm(conv(6, 8, 3, stride=2, padding=1))
        self.up = nn.Upsample(scale_factor=2)
        self.act = nn.LeakyReLU(0.1)
        self.head = weight_norm(conv(14, classes, 1))

    def forward(self, x: Tensor) -> Tensor:
        fine = self.act(self.first(x))
        coarse = self.act(self.down(fine))
        return self.head(torch.cat([fine, self.up(coarse)], 1))
