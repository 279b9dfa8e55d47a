"""Which images are real."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from voxplain.counterfactual.style.layers import Conv, Linear, halved, leaky
from voxplain.counterfactual.style.scale import ImageScale
from voxplain.counterfactual.style.synthesis import doublings

_HALF = 2**-0.5


class Discriminator(nn.Module):
    """Residual blocks down to the coarsest size, and how much images of a group differ, as one more channel.

    Args:
        shape: (C, *S).
        levels, width, most: as of `Synthesis`.
        group: images whose spread is measured together; batches that it does not divide are one group.
    """

    def __init__(
        self,
        shape: Sequence[int],
        *,
        levels: int | None = None,
        width: int = 16,
        most: int = 128,
        group: int = 4,
    ) -> None:
        super().__init__()
        self.body, outputs, coarse = encoder_body(shape, levels, width, most)
        self.scale, self.group = ImageScale(shape), group
        self.last = Conv(len(coarse), outputs + 1, outputs)
        voxels = int(torch.tensor(coarse).prod())
        self.hidden, self.score = Linear(outputs * voxels, outputs), Linear(outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, *S) to (N,): above 0 is real."""
        x = self.body(self.scale.inward(x))
        x = leaky(self.last(torch.cat([x, spread(x, self.group)], 1)))
        out: Tensor = self.score(leaky(self.hidden(x.flatten(1))))
        return out[:, 0]


def encoder_body(
    shape: Sequence[int], levels: int | None, width: int, most: int
) -> tuple[nn.Sequential, int, list[int]]:
    """Residual blocks from images to the coarsest size; how many channels come out, and that size."""
    channels, *size = shape
    count = doublings(size, levels)
    widths = [min(most, width * 2**k) for k in range(count + 1)]
    first = Conv(len(size), channels, widths[0], 1)
    blocks = [_Residual(len(size), widths[k], widths[k + 1]) for k in range(count)]
    return nn.Sequential(first, _Leaky(), *blocks), widths[-1], [n // 2**count for n in size]


def spread(x: Tensor, group: int) -> Tensor:
    """(N, 1, *S) how much the images of a group differ: their deviation, averaged over channels and places."""
    size = group if len(x) % group == 0 else len(x)
    grouped = x.reshape(size, -1, *x.shape[1:])
    deviation = (grouped.var(0, unbiased=False) + 1e-8).sqrt().flatten(1).mean(1)
    return deviation.repeat(size).reshape(-1, *(1,) * (x.ndim - 1)).expand(-1, 1, *x.shape[2:])


class _Residual(nn.Module):
    def __init__(self, dims: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first, self.second = Conv(dims, inputs, inputs), Conv(dims, inputs, outputs)
        self.aside = Conv(dims, inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        through: Tensor = leaky(self.second(halved(leaky(self.first(x)))))
        aside: Tensor = self.aside(halved(x))
        return (through + aside) * _HALF


class _Leaky(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return leaky(x)
