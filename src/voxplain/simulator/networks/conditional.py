"""Layers whose weights depend on the direction, and on the image where that is wanted."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxplain.inherent.checks import require_counts, require_dims

_CONVOLUTION: dict[int, Callable[..., Tensor]] = {2: F.conv2d, 3: F.conv3d}


class ConditionalConv(nn.Module):
    """CondConv: a convolution whose kernel is a mixture of experts. Yang et al. 2019, arXiv:1904.04971.

    Every sample's kernel is Σ_e σ(routing)_e W_e; the routing sees the direction, and with `look` the image's mean, too.
    There is no loop over the batch: with the direction alone there are at most two kernels, so samples are grouped by
    direction; otherwise samples become groups of one convolution.

    Args:
        spatial_dims: 2 or 3.
        inputs, outputs: channels.
        kernel: edge, odd; the size is kept.
        stride: of the output.
        experts: how many kernels are mixed.
        look: whether the image takes part in the routing.
        dropout: of the image's mean, in training.
    """

    def __init__(
        self,
        spatial_dims: int,
        inputs: int,
        outputs: int,
        kernel: int = 3,
        *,
        stride: int = 1,
        experts: int = 3,
        look: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        require_dims(spatial_dims)
        require_counts(inputs=inputs, outputs=outputs, kernel=kernel, stride=stride, experts=experts)
        self.spatial_dims, self.stride, self.padding, self.look = spatial_dims, stride, kernel // 2, look
        self.weight = nn.Parameter(torch.empty(experts, outputs, inputs, *[kernel] * spatial_dims))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.dropout = nn.Dropout(dropout)
        self.routing = nn.Linear((inputs if look else 0) + 1, experts)
        for expert in self.weight:
            nn.init.kaiming_uniform_(expert, a=math.sqrt(5))  # as torch's own convolutions

    def forward(self, x: Tensor, direction: Tensor) -> Tensor:
        """(N, inputs, *S) and directions (N, 1) to (N, outputs, *S / stride)."""
        if self.look:
            seen = torch.cat([self.dropout(x.flatten(2).mean(2)), direction], 1)
            return self._each(x, self._kernels(seen))
        return self._by_direction(x, direction)

    def _kernels(self, seen: Tensor) -> Tensor:
        """(M, F) what the routing sees to (M, outputs, inputs, *kernel)."""
        shares = torch.sigmoid(self.routing(seen))
        return torch.einsum("me,e...->m...", shares, self.weight)

    def _each(self, x: Tensor, kernels: Tensor) -> Tensor:
        """A kernel per sample: one convolution with a group for each."""
        count = len(x)
        out = self._convolve(x.reshape(1, -1, *x.shape[2:]), kernels.flatten(0, 1), None, groups=count)
        return out.reshape(count, -1, *out.shape[2:]) + self.bias.reshape(-1, *[1] * self.spatial_dims)

    def _by_direction(self, x: Tensor, direction: Tensor) -> Tensor:
        """A kernel per direction: a plain convolution for the samples of each."""
        values, which = torch.unique(direction[:, 0], return_inverse=True)
        kernels = self._kernels(values[:, None])
        if len(values) == 1:
            return self._convolve(x, kernels[0], self.bias)
        order = torch.argsort(which, stable=True)
        ends = [0, *torch.bincount(which).cumsum(0).tolist()]
        sorted_x = x[order]
        parts = [
            self._convolve(sorted_x[a:b], kernel, self.bias)
            for kernel, (a, b) in zip(kernels, pairwise(ends), strict=True)
        ]
        return torch.cat(parts)[torch.argsort(order)]

    def _convolve(self, x: Tensor, kernel: Tensor, bias: Tensor | None, groups: int = 1) -> Tensor:
        return _CONVOLUTION[self.spatial_dims](
            x, kernel, bias, stride=self.stride, padding=self.padding, groups=groups
        )


class Film(nn.Module):
    """Scales and shifts each channel by the direction. Perez et al. 2018, arXiv:1709.07871. Starts as doing nothing.

    Args:
        channels: of the feature map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.read = nn.Linear(1, 2 * channels)
        nn.init.zeros_(self.read.weight)
        nn.init.zeros_(self.read.bias)

    def forward(self, x: Tensor, direction: Tensor) -> Tensor:
        """(N, channels, *S) and directions (N, 1) to the same shape."""
        scale, shift = self.read(direction).reshape(len(x), 2, -1, *[1] * (x.ndim - 2)).unbind(1)
        out: Tensor = x * (1 + scale) + shift
        return out
