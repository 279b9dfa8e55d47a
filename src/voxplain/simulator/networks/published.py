"""The simulator network as it was published, as a preset to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxplain.errors import InputError
from voxplain.inherent.checks import require_counts, require_dims
from voxplain.inherent.networks.blocks import norm_layer
from voxplain.inherent.networks.fitting import Fitted
from voxplain.simulator.change import Displacement
from voxplain.simulator.networks.base import Simulator
from voxplain.simulator.networks.conditional import ConditionalConv

_DOWN = (16, 32, 64, 16, 16)
_UP = ((16, 64), (64, 32), (32, 16))
_CODE = 512
_STEP = 2 ** (len(_DOWN) - 1)


class PublishedSimulator(Simulator):
    """U-Net with additive skips and a vector bottleneck that gives a displacement. Liu et al. 2021, arXiv:2102.08239.

    As in the released code: conditional convolutions with 3 experts whose routing sees image and direction, batch
    normalisation, five levels, and the direction once more beside the code of 512 numbers. Nothing keeps the displacement
    from folding space, and its dose is a factor. What differs: borders are padded with their value (released: zeros, which
    are mean tissue in normalised images), and there is no loop over the batch.

    At (64, 64, 64) and one channel it has the 1,680,066 parameters that the released network uses, and with the same weights
    the same field.

    Args:
        in_channels: C.
        size: of the images; smaller ones are padded to it, since the bottleneck's code has a fixed length.
        norm: of MONAI's names; released: "batch", which in evaluation mixes both directions' statistics.

    Raises:
        InputError: a size that cannot be.
    """

    def __init__(self, in_channels: int = 1, *, size: Sequence[int], norm: str = "batch") -> None:
        require_counts(in_channels=in_channels)
        require_dims(len(size))
        if min(size) < 1:
            raise InputError(f"size: found {tuple(size)}, expected positive numbers of voxels")
        super().__init__(len(size), in_channels)
        whole = tuple(-(-n // _STEP) * _STEP for n in size)
        self.net = Fitted(_Net(in_channels, whole, norm), exactly=whole)

    def propose(self, x: Tensor, direction: Tensor) -> Displacement:
        return Displacement(self.net(x, direction))


class _Net(nn.Module):
    def __init__(self, inputs: int, size: tuple[int, ...], norm: str) -> None:
        super().__init__()
        dims = len(size)
        self.size = size
        self.coarsest = tuple(n // _STEP for n in size)

        def conv(a: int, b: int) -> ConditionalConv:
            made = ConditionalConv(dims, a, b, experts=3, look=True, dropout=0.1)
            nn.init.xavier_normal_(made.weight)
            return made

        def norms(widths: Sequence[int]) -> nn.ModuleList:
            return nn.ModuleList(norm_layer(norm, dims, n)[0] for n in widths)

        self.first = conv(inputs, _DOWN[0])
        self.down = nn.ModuleList(conv(a, b) for a, b in pairwise(_DOWN))
        self.down_norms = norms(_DOWN[:-1])
        length = _DOWN[-1] * prod(self.coarsest)
        self.encode, self.decode = nn.Linear(length, _CODE), nn.Linear(_CODE + 1, length)
        self.middle = conv(_DOWN[-1], _DOWN[-1])
        self.middle_norm = norms([_DOWN[-1]])[0]
        self.up = nn.ModuleList(conv(a, b) for a, b in _UP)
        self.up_norms = norms([b for _, b in _UP])
        self.last = conv(_UP[-1][-1], dims)
        self.pool = F.max_pool2d if dims == 2 else F.max_pool3d

    def forward(self, x: Tensor, direction: Tensor) -> Tensor:
        features = [self.first(x, direction)]
        for conv, norm in zip(self.down, self.down_norms, strict=True):
            features.append(conv(self.pool(F.leaky_relu(norm(features[-1]), 0.1), 2), direction))
        code = torch.cat([self.encode(features[-1].flatten(1)), direction], 1)
        deep = self.decode(F.relu(code)).reshape(features[-1].shape)
        out = self.middle(deep, direction) + features.pop()
        out = _raised(self.middle_norm(out)) + features.pop()
        for conv, norm in zip(self.up, self.up_norms, strict=True):
            out = _raised(norm(conv(out, direction))) + features.pop()
        field: Tensor = self.last(out, direction)
        return field


def _raised(x: Tensor) -> Tensor:
    return F.interpolate(F.leaky_relu(x, 0.1), scale_factor=2.0)
