"""GP-UNet: a U-Net that classifies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, Unpack

import torch
from monai.networks.layers.factories import Pool as PoolFactory
from torch import Tensor, nn

from voxplain.errors import InputError
from voxplain.inherent.networks.blocks import Norm, conv, double_conv, dropout_layer
from voxplain.inherent.networks.gp_network import GPNetwork, Head
from voxplain.inherent.networks.sinc import SincUpsample

Upsampling = Literal["sinc", "linear"]


class GPUNet(GPNetwork):
    """U-Net with sinc upsampling, 1×1 read-out and a pool. Dubost et al. 2017, arXiv:1705.07999; Chatterjee et al.

    `published` has the 1,740,675 parameters of the released 2-D network. What differs from that, by default or always:

    - the pool comes after the read-out (released: `head(max over space of every feature)`);
    - odd sizes are padded and cropped once, instead of interpolating every upsampled map to its skip connection;
    - sinc upsampling keeps the two grids' extents together, where the released one shifts by half a voxel per level
      against the average pooling on the way down.

    Args:
        in_channels: C.
        classes: K.
        widths: features per level, finest first.
        norm: of every convolution: None (as published), or a name of MONAI's such as ``"batch"``.
        dropout: of feature maps behind the bottleneck (published: 0.5 on BraTS, none on Figshare).
        upsample: ``"sinc"`` or ``"linear"``.
        head: see `Head`.

    Raises:
        InputError: an argument that cannot be.

    >>> sum(p.numel() for p in GPUNet.published().parameters())
    1740675
    """

    def __init__(
        self,
        in_channels: int,
        classes: int,
        *,
        widths: Sequence[int] = (64, 128, 256),
        norm: Norm = None,
        dropout: float = 0.0,
        upsample: Upsampling = "sinc",
        **head: Unpack[Head],
    ) -> None:
        if len(widths) < 2 or min(widths) < 1:
            raise InputError(f"widths: found {tuple(widths)}, expected at least two positive numbers")
        step = 2 ** (len(widths) - 1)
        super().__init__(
            in_channels,
            widths[0],
            classes,
            lambda dims: _UNet(dims, in_channels, widths, norm, dropout, upsample),
            divisible=step,
            at_least=2 * step,
            **head,
        )


class _UNet(nn.Module):
    def __init__(
        self, dims: int, inputs: int, widths: Sequence[int], norm: Norm, dropout: float, upsample: str
    ) -> None:
        super().__init__()
        self.pool = PoolFactory[PoolFactory.AVG, dims](2)
        self.down = nn.ModuleList(double_conv(dims, a, b, norm) for a, b in pairwise((inputs, *widths)))
        self.bottleneck = nn.Sequential(*dropout_layer(dims, dropout))
        levels = list(pairwise(reversed(widths)))
        self.up = nn.ModuleList(
            nn.Sequential(_upsampling(upsample, dims), conv(dims, deep, fine, 1)) for deep, fine in levels
        )
        self.merge = nn.ModuleList(double_conv(dims, 2 * fine, fine, norm) for _, fine in levels)

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            skips.append(x)
        x = self.bottleneck(skips.pop())
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([up(x), skips.pop()], 1))
        return x


def _upsampling(kind: str, dims: int) -> nn.Module:
    if kind == "sinc":
        return SincUpsample(centred=True)
    if kind == "linear":
        return nn.Upsample(scale_factor=2, mode="bilinear" if dims == 2 else "trilinear")
    raise InputError(f"upsample: found {kind!r}, expected 'sinc' or 'linear'")
