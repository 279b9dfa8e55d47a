"""What the noise on an image is measured by."""

from __future__ import annotations

from torch import Tensor


def channel_range(image: Tensor) -> Tensor:
    """Maximum − minimum of every channel, (C, 1, ...)."""
    flat = image.flatten(1)
    return (flat.amax(1) - flat.amin(1)).reshape(-1, *(1,) * (image.dim() - 1))
