"""A network that gives a stationary velocity field."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxplain.errors import InputError
from voxplain.inherent.checks import require_counts, require_dims
from voxplain.inherent.networks.blocks import Norm, conv, norm_layer
from voxplain.inherent.networks.fitting import Fitted
from voxplain.simulator.change import Velocity
from voxplain.simulator.networks.base import Simulator
from voxplain.simulator.networks.conditional import ConditionalConv, Film

Routing = Literal["shared", "film", "condconv"]
ROUTINGS = ("shared", "film", "condconv")


class VelocitySimulator(Simulator):
    """U-Net whose output is the velocity of tissue, so that doses are continuous, fold nothing and can be undone.

    The velocity is made on a coarser grid and brought to the image's linearly, as is usual in registration (Dalca et al.
    2019, doi:10.1016/j.media.2019.07.006): half as many voxels along each axis cost a quarter or an eighth, and are smooth.
    It starts as the identity: the last layer's weights are zero.

    Args:
        in_channels: C.
        spatial_dims: 2 or 3.
        widths: channels per level, finest first.
        routing: how the direction gets in: ``"shared"``, one field whose sign is the direction, so that removal is the
            inverse of injection by construction; ``"film"``, each channel scaled and shifted; ``"condconv"``, a kernel per
            direction, mixed from experts.
        coarser: levels that the velocity's grid is coarser than the image's: 0, 1, …
        brightness: whether to also give a change of brightness, for what is no motion, such as lesions.
        norm: of MONAI's names, or none.

    Raises:
        InputError: an argument that cannot be.

    >>> network = VelocitySimulator(1, widths=(8, 16))
    >>> change = network(torch.rand(2, 1, 21, 18), +1)
    >>> tuple(change.field.shape), float(change.field.detach().abs().max())
    ((2, 2, 21, 18), 0.0)
    """

    def __init__(
        self,
        in_channels: int = 1,
        *,
        spatial_dims: int = 2,
        widths: Sequence[int] = (16, 32, 32),
        routing: Routing = "shared",
        coarser: int = 1,
        brightness: bool = False,
        norm: Norm = "instance",
    ) -> None:
        require_counts(in_channels=in_channels)
        require_dims(spatial_dims)
        if len(widths) < 2 or min(widths) < 1:
            raise InputError(f"widths: found {tuple(widths)}, expected at least two positive numbers")
        if routing not in ROUTINGS:
            raise InputError(
                f"routing: found {routing!r}, expected {', '.join(ROUTINGS[:-1])} or {ROUTINGS[-1]}"
            )
        if not 0 <= coarser < len(widths):
            raise InputError(
                f"coarser: found {coarser!r}, expected 0 to {len(widths) - 1}: there are as many levels"
            )
        super().__init__(spatial_dims, in_channels)
        self.routing = routing
        outputs = spatial_dims + (in_channels if brightness else 0)
        net = _UNet(spatial_dims, in_channels, outputs, widths, routing, coarser, norm)
        step = 2 ** (len(widths) - 1)
        # normalising over a single voxel would leave nothing
        self.net = Fitted(net, divisible=step, at_least=2 * step)

    def propose(self, x: Tensor, direction: Tensor) -> Velocity:
        found = self.net(x, direction)
        if self.routing == "shared":
            found = found * direction.reshape(-1, *[1] * (found.ndim - 1))
        field, brightness = found[:, : self.spatial_dims], found[:, self.spatial_dims :]
        return Velocity(field, brightness if brightness.shape[1] else None)


class _UNet(nn.Module):
    def __init__(
        self,
        dims: int,
        inputs: int,
        outputs: int,
        widths: Sequence[int],
        routing: str,
        coarser: int,
        norm: Norm,
    ) -> None:
        super().__init__()
        levels = list(pairwise((inputs, *widths)))
        self.down = nn.ModuleList(
            _Block(dims, a, b, 2 if level else 1, routing, norm) for level, (a, b) in enumerate(levels)
        )
        self.up = nn.ModuleList(
            _Block(dims, deep + fine, fine, 1, routing, norm)
            for deep, fine in list(pairwise(reversed(widths)))[: len(widths) - 1 - coarser]
        )
        self.last = conv(dims, widths[coarser], outputs)
        self.mode = "bilinear" if dims == 2 else "trilinear"
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, direction: Tensor) -> Tensor:
        size = x.shape[2:]
        skips: list[Tensor] = []
        for block in self.down:
            x = block(x, direction)
            skips.append(x)
        x = skips.pop()
        for block in self.up:
            skip = skips.pop()
            x = block(torch.cat([F.interpolate(x, skip.shape[2:]), skip], 1), direction)
        out: Tensor = self.last(x)
        return out if out.shape[2:] == size else F.interpolate(out, size, mode=self.mode, align_corners=False)


class _Block(nn.Module):
    """Convolution, normalisation, leaky ReLU; the direction gets in as the routing says."""

    def __init__(self, dims: int, inputs: int, outputs: int, stride: int, routing: str, norm: Norm) -> None:
        super().__init__()
        self.by_kernel = routing == "condconv"
        self.conv = (
            ConditionalConv(dims, inputs, outputs, stride=stride)
            if self.by_kernel
            else conv(dims, inputs, outputs, stride=stride)
        )
        self.norm = nn.Sequential(*norm_layer(norm, dims, outputs))
        self.film = Film(outputs) if routing == "film" else None

    def forward(self, x: Tensor, direction: Tensor) -> Tensor:
        x = self.norm(self.conv(x, direction) if self.by_kernel else self.conv(x))
        return F.leaky_relu(x if self.film is None else self.film(x, direction), 0.2)
