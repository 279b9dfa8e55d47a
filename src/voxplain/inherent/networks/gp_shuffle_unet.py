"""GP-ShuffleUNet: a U-Net that lays places into channels and back, and classifies."""

from __future__ import annotations

from typing import Unpack

import torch
from monai.networks.utils import icnr_init, pixelshuffle, pixelunshuffle
from torch import Tensor, nn

from voxplain.inherent.checks import require_counts
from voxplain.inherent.networks.blocks import Norm, conv, double_conv, dropout_layer
from voxplain.inherent.networks.gp_network import GPNetwork, Head

WAYS = 4  # parallel convolutions of every level


class GPShuffleUNet(GPNetwork):
    """ShuffleUNet (Chatterjee et al. 2021, arXiv:2102.12898) with 1×1 read-out and a pool.

    `published` has the 26,371,587 parameters of the released 2-D network. What differs from that, by default or always:

    - the pool comes after the read-out (released: `head(max over space of every feature)`);
    - the convolutions before a pixel shuffle keep their ICNR start, which makes no checkerboard (released: Kaiming for all
      convolutions, which comes later and overwrites it);
    - there is no output activation (released: with the default, softmax, the forward pass fails);
    - sizes that are no multiple of 8 are padded and cropped (released: they fail).

    Args:
        in_channels: C.
        classes: K.
        width: features at full size, doubled at every level.
        levels: how many times the size is halved.
        norm: of the convolutions that come in pairs, but for those after an unshuffle, which have BatchNorm as published:
            None (as published), or a name of MONAI's such as ``"batch"``, without which high learning rates fail.
        dropout: of feature maps at the bottleneck (published: 0.5).
        head: see `Head`.

    Raises:
        InputError: an argument that cannot be.

    >>> sum(p.numel() for p in GPShuffleUNet.published().parameters())
    26371587
    """

    def __init__(
        self,
        in_channels: int,
        classes: int,
        *,
        width: int = 64,
        levels: int = 3,
        norm: Norm = None,
        dropout: float = 0.0,
        **head: Unpack[Head],
    ) -> None:
        require_counts(width=width, levels=levels)
        super().__init__(
            in_channels,
            width,
            classes,
            lambda dims: _ShuffleUNet(dims, in_channels, width, levels, dropout, norm),
            divisible=2**levels,
            at_least=2 ** (levels + 1),
            **head,
        )


class _ShuffleUNet(nn.Module):
    def __init__(self, dims: int, inputs: int, width: int, levels: int, dropout: float, norm: Norm) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(levels)]
        self.first = double_conv(dims, inputs, width, norm)
        self.down = nn.ModuleList(_Down(dims, w, norm) for w in widths)
        self.bottleneck = nn.Sequential(*dropout_layer(dims, dropout))
        self.up = nn.ModuleList(_Up(dims, w, norm) for w in reversed(widths))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        skips = []
        for down in self.down:
            deeper, ways = down(x)
            skips.append((x, ways))
            x = deeper
        x = self.bottleneck(x)
        for up in self.up:
            x = up(x, *skips.pop())
        return x


class _Ways(nn.Module):
    """Parallel convolutions: (N, C, *S) -> a list of them."""

    def __init__(self, dims: int, width: int) -> None:
        super().__init__()
        self.ways = nn.ModuleList(nn.Sequential(conv(dims, width, width), nn.ReLU()) for _ in range(WAYS))

    def forward(self, x: Tensor) -> list[Tensor]:
        return [way(x) for way in self.ways]


class _Down(nn.Module):
    def __init__(self, dims: int, width: int, norm: Norm) -> None:
        super().__init__()
        self.dims = dims
        self.decompose = _Ways(dims, width)
        self.before = conv(dims, width, width)
        self.squeeze = double_conv(dims, width * 2**dims, width, "batch")
        self.widen = double_conv(dims, width, 2 * width, norm)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        ways = self.decompose(x)
        folded = pixelunshuffle(self.before(ways[-1]), self.dims, 2)
        return self.widen(self.squeeze(folded)), ways


class _Up(nn.Module):
    def __init__(self, dims: int, width: int, norm: Norm) -> None:
        super().__init__()
        self.dims = dims
        self.before = conv(dims, 2 * width, width * 2**dims)
        # what becomes one voxel's neighbours starts alike, biases too
        icnr_init(self.before, 2)
        nn.init.zeros_(self.before.get_parameter("bias"))
        self.decompose = _Ways(dims, width)
        self.merge = double_conv(dims, (WAYS + 1) * width, width, norm)

    def forward(self, x: Tensor, skip: Tensor, ways: list[Tensor]) -> Tensor:
        own = self.decompose(pixelshuffle(self.before(x), self.dims, 2))
        summed = [a + b for a, b in zip(own, ways, strict=True)]
        merged: Tensor = self.merge(torch.cat([*summed, skip], 1))
        return merged
