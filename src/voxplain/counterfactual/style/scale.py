"""Images as networks see them: how they differ from their mean, in units of how much they do."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ImageScale(nn.Module):
    """``(x − centre) / spread``, and back. What all images share need not be learned, and every step counts for the rest.

    Until it is set, images stay what they are.

    Args:
        shape: (C, *S) of images.
    """

    centre: Tensor
    spread: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(*shape))
        self.register_buffer("spread", torch.ones(()))

    def set(self, centre: Tensor, spread: Tensor) -> None:
        """Take the mean image (C, *S) and one deviation for all voxels."""
        self.centre.copy_(centre)
        self.spread.copy_(spread)

    def inward(self, x: Tensor) -> Tensor:
        """Images (N, C, *S) to deviations of about 1."""
        return (x - self.centre) / self.spread

    def outward(self, u: Tensor) -> Tensor:
        """Deviations (N, C, *S) to images."""
        return self.centre + self.spread * u
