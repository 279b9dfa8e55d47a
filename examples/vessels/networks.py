"""The vessel networks of DS6 and TorchEsegeta, from their description: U-Net, U-Net with multi-scale supervision
and attention U-Net.

Five levels; at each two convolutions with BatchNorm and in-place ReLU; max pooling down; up by interpolation and a
convolution; skips are concatenated. One logit per voxel. Chatterjee et al. 2020, arXiv:2006.10802 (DS6); Oktay et
al. 2018, arXiv:1804.03999 (attention gates).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SMALL = (4, 6, 8, 10, 12)
PUBLISHED = (64, 128, 256, 512, 1024)


def unet(widths: Sequence[int] = SMALL, dims: int = 3) -> VesselUNet:
    """U-Net; returns [logits, decoder features at a half, at a quarter], so head 0 is meant."""
    return VesselUNet(dims, widths=widths)


def unet_mss(widths: Sequence[int] = SMALL, dims: int = 3) -> VesselUNet:
    """U-Net with multi-scale supervision; returns the logits of three scales, of which head 0 is meant."""
    return VesselUNet(dims, supervised=True, widths=widths)


def attention_unet(widths: Sequence[int] = SMALL, dims: int = 3) -> VesselUNet:
    """U-Net with attention gates on its skips; returns the logits alone."""
    return VesselUNet(dims, gated=True, widths=widths)


def layers(dims: int) -> tuple[type[nn.Module], type[nn.Module], type[nn.Module]]:
    """Convolution, BatchNorm and max pooling of that many dimensions."""
    return (
        (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d, nn.MaxPool3d)
    )


def twice(dims: int, fan_in: int, fan_out: int) -> nn.Sequential:
    """Two convolutions, each with BatchNorm and ReLU."""
    conv, norm, _ = layers(dims)
    return nn.Sequential(
        conv(fan_in, fan_out, 3, padding=1), norm(fan_out), nn.ReLU(inplace=True),
        conv(fan_out, fan_out, 3, padding=1), norm(fan_out), nn.ReLU(inplace=True),
    )  # fmt: skip


def upwards(dims: int, fan_in: int, fan_out: int) -> nn.Sequential:
    """Twice the size by nearest neighbours, then a convolution with BatchNorm and ReLU."""
    conv, norm, _ = layers(dims)
    up = nn.Upsample(scale_factor=2)
    return nn.Sequential(up, conv(fan_in, fan_out, 3, padding=1), norm(fan_out), nn.ReLU(inplace=True))


class Gate(nn.Module):
    """Additive attention: x · sigmoid(ψ(ReLU(W_g g + W_x x)))."""

    def __init__(self, dims: int, width: int) -> None:
        super().__init__()
        conv, norm, _ = layers(dims)
        inner = max(width // 2, 1)
        self.of_gate = nn.Sequential(conv(width, inner, 1), norm(inner))
        self.of_skip = nn.Sequential(conv(width, inner, 1), norm(inner))
        self.psi = nn.Sequential(conv(inner, 1, 1), norm(1), nn.Sigmoid())
        self.relu = nn.ReLU(inplace=True)

    def forward(self, gate: Tensor, skip: Tensor) -> Tensor:
        """The skip, let through where the gate finds it of use."""
        return skip * self.psi(self.relu(self.of_gate(gate) + self.of_skip(skip)))


class VesselUNet(nn.Module):
    """Returns [logits, decoder features at a half, at a quarter], as the released U-Net does.

    Args:
        dims: 2 or 3.
        supervised: logits at every one of these scales instead of features ("U-Net MSS").
        gated: attention gates on the skips; then the logits alone are returned.
        widths: channels of the five levels, from fine to coarse.
    """

    def __init__(
        self, dims: int, *, supervised: bool = False, gated: bool = False, widths: Sequence[int] = SMALL
    ) -> None:
        super().__init__()
        conv, _, pool = layers(dims)
        widths = tuple(widths)
        self.mode = {2: "bilinear", 3: "trilinear"}[dims]
        self.down = nn.ModuleList(twice(dims, a, b) for a, b in zip((1, *widths), widths, strict=False))
        self.pool = pool(2)
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(upwards(dims, a, b) for a, b in pairs)
        self.gates = nn.ModuleList(Gate(dims, b) for _, b in pairs) if gated else None
        self.merge = nn.ModuleList(twice(dims, 2 * b, b) for _, b in pairs)
        self.scales = nn.ModuleList(conv(w, 1, 1) for w in widths[1:3]) if supervised else None
        self.head = conv(widths[0], 1, 1)

    def forward(self, x: Tensor) -> list[Tensor] | Tensor:
        """(N, 1, *spatial), axes divisible by 16, to logits, or a list that begins with them."""
        size, skips = x.shape[2:], []
        for i, block in enumerate(self.down):
            x = block(self.pool(x) if i else x)
            skips.append(x)
        decoded = []
        for i, (up, merge, skip) in enumerate(zip(self.up, self.merge, skips[-2::-1], strict=True)):
            x = up(x)
            kept = skip if self.gates is None else self.gates[i](x, skip)
            x = merge(torch.cat([kept, x], 1))
            decoded.append(x)
        out: Tensor = self.head(x)
        if self.gates is not None:
            return out
        half, quarter = decoded[-2], decoded[-3]
        if self.scales is None:
            return [out, half, quarter]
        lower = [conv(d) for conv, d in zip(self.scales, (half, quarter), strict=True)]
        return [out, *(F.interpolate(z, size, mode=self.mode) for z in lower)]
