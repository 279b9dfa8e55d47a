"""What all simulator networks are."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from voxplain.errors import InputError
from voxplain.simulator.change import Change


class Simulator(nn.Module, ABC):
    """Proposes for each image how it would change towards the disease (direction +1) or away from it (−1).

    Args:
        spatial_dims: D, 2 or 3.
        in_channels: C of the images.
    """

    def __init__(self, spatial_dims: int, in_channels: int) -> None:
        super().__init__()
        self.spatial_dims, self.in_channels = spatial_dims, in_channels

    @abstractmethod
    def propose(self, x: Tensor, direction: Tensor) -> Change:
        """What `forward` gives, for images and directions (N, 1) that fit."""

    def forward(self, x: Tensor, direction: Tensor | float) -> Change:
        """The proposal for images (N, C, *S) of any size that the network takes.

        Args:
            x: images, prepared as for the classifier.
            direction: +1 or −1 for all, or (N,).

        Raises:
            InputError: images or directions of another shape.
        """
        if x.ndim != 2 + self.spatial_dims or x.shape[1] != self.in_channels:
            raise InputError(
                f"image: found the shape {tuple(x.shape)}, expected (N, {self.in_channels}, *S) with {self.spatial_dims} "
                "spatial axes"
            )
        told = torch.as_tensor(direction, dtype=x.dtype, device=x.device)
        if told.ndim > 1 or told.numel() not in (1, len(x)):
            raise InputError(
                f"direction: found the shape {tuple(told.shape)}, expected one number or {len(x)} of them"
            )
        return self.propose(x, told.reshape(-1, 1).expand(len(x), 1))
