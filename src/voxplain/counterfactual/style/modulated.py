"""Convolutions whose kernels a style scales, channel by channel."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxplain.counterfactual.style.layers import Linear, expanded


class ModulatedConv(nn.Module):
    """A convolution with the kernel W_oi · s_i, of each output channel divided by its norm (Karras et al., CVPR 2020, §2.2).

    Scaling kernels per image takes a convolution per image. Scaling what goes in by s and what comes out by the norms is the
    same, and one convolution for all images.

    Args:
        dims: 2 or 3.
        inputs, outputs: channels.
        styles: length of w.
        kernel: odd.
        demodulate: divide by the norms.
    """

    def __init__(
        self, dims: int, inputs: int, outputs: int, styles: int, kernel: int = 3, *, demodulate: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, *(kernel,) * dims))
        self.style = Linear(styles, inputs, bias=1.0)
        self.demodulate, self.padding = demodulate, kernel // 2
        self.scale = 1 / math.sqrt(inputs * kernel**dims)
        self._convolve: Any = {2: F.conv2d, 3: F.conv3d}[dims]

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, inputs, *S) and (N, styles) to (N, outputs, *S)."""
        return self.styled(x, self.style(w))

    def styled(self, x: Tensor, s: Tensor) -> Tensor:
        """The same by the scales (N, inputs) themselves: the coordinates of style space."""
        weight = self.weight * self.scale
        out: Tensor = self._convolve(x * expanded(s, x), weight, padding=self.padding)
        if not self.demodulate:
            return out
        power = s.square() @ weight.square().flatten(2).sum(2).T
        return out * expanded(torch.rsqrt(power + 1e-8), out)
