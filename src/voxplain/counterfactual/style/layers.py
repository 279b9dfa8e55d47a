"""Layers whose weights are scaled when they are used, so that all of them learn at one rate (Karras et al., ICLR 2018)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE, GAIN = 0.2, math.sqrt(2)  # of the leaky ReLU, which keeps the variance with this gain


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU that keeps the variance."""
    return F.leaky_relu(x, SLOPE) * GAIN


class Linear(nn.Module):
    """A linear layer with weights drawn from N(0, 1), scaled by 1 / √inputs when it is used.

    Args:
        inputs, outputs: features.
        bias: its first value.
        rate: by how much slower it learns.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.scale, self.rate = rate / math.sqrt(inputs), rate

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs) to (N, outputs)."""
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class Conv(nn.Module):
    """A convolution with the same scaling, that keeps the size.

    Args:
        dims: 2 or 3.
        inputs, outputs: channels.
        kernel: odd.
        bias: whether it has one.
    """

    def __init__(self, dims: int, inputs: int, outputs: int, kernel: int = 3, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *(kernel,) * dims))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale, self.padding = 1 / math.sqrt(inputs * kernel**dims), kernel // 2
        self._convolve = {2: F.conv2d, 3: F.conv3d}[dims]

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, *S) to (N, outputs, *S)."""
        return self._convolve(x, self.weight * self.scale, self.bias, padding=self.padding)


def enlarged(x: Tensor) -> Tensor:
    """Twice as large along every spatial axis, interpolated linearly: what neighbours share stays smooth."""
    mode = "bilinear" if x.ndim == 4 else "trilinear"
    return F.interpolate(x, scale_factor=2, mode=mode, align_corners=False)


def halved(x: Tensor) -> Tensor:
    """Half as large along every spatial axis: means of 2 × 2 (× 2) voxels."""
    return F.avg_pool2d(x, 2) if x.ndim == 4 else F.avg_pool3d(x, 2)


def expanded(per_channel: Tensor, like: Tensor) -> Tensor:
    """(N, C) over the spatial axes of (N, C, *S)."""
    return per_channel.reshape(*per_channel.shape, *(1,) * (like.ndim - 2))
