"""The network that learns what a black box says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from voxplain.inherent.checks import require_counts, require_dims
from voxplain.inherent.networks.blocks import conv, norm_layer

_PLACES = 4  # of the readout along each axis: what a classifier looks at has a place in the body


class SurrogateNetwork(nn.Module):
    """Three convolutions, and a readout that knows places: mean features of 4 × 4 (× 4) blocks.

    Args:
        in_channels: C.
        spatial_dims: 2 or 3.
        widths: channels per level, each half as fine as the one before.
        centre, scale: of the black box's logits, so that what is learned has mean 0 and deviation 1.
    """

    centre: Tensor
    scale: Tensor

    def __init__(
        self,
        in_channels: int = 1,
        *,
        spatial_dims: int = 2,
        widths: Sequence[int] = (12, 24, 24),
        centre: float = 0.0,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        require_counts(in_channels=in_channels)
        require_dims(spatial_dims)
        layers: list[nn.Module] = []
        for level, (inputs, outputs) in enumerate(pairwise((in_channels, *widths))):
            layers += [conv(spatial_dims, inputs, outputs, stride=2 if level else 1)]
            layers += [*norm_layer("batch", spatial_dims, outputs), nn.ReLU()]
        pool: nn.Module = (nn.AdaptiveAvgPool2d if spatial_dims == 2 else nn.AdaptiveAvgPool3d)(_PLACES)
        self.net = nn.Sequential(
            *layers, pool, nn.Flatten(), nn.Linear(widths[-1] * _PLACES**spatial_dims, 1)
        )
        self.register_buffer("centre", torch.tensor(centre))
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, *S) to (N, 1): the logit towards the disease, in the black box's units."""
        out: Tensor = self.net(x) * self.scale + self.centre
        return out
