"""A classifier that looks at the ventricles and at nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation
from torch import Tensor, nn

_BORDER, _SOFT = (
    0.5,
    0.1,
)  # brightness half way between fluid and white matter, and over which a voxel begins to count
_GAIN = 4.0  # logit of a typical diseased subject


class VentricleRule(nn.Module):
    """Says "diseased" by how much is dark within a window around the ventricles: A = Σ w · σ((border − brightness) / 0.1).

    The logit is gain · (A − middle) / gap. Voxels that are partly fluid count partly, so A is about the ventricles' volume.

    Args:
        shape: (*S) of the images; the window, the middle and the gap are weights.
    """

    window: Tensor
    middle: Tensor
    gap: Tensor

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("window", torch.zeros(tuple(shape)))
        self.register_buffer("middle", torch.zeros(()))
        self.register_buffer("gap", torch.ones(()))

    def size(self, x: Tensor) -> Tensor:
        """(N, 1, *S) to (N,) soft counts of voxels."""
        return (self.window * torch.sigmoid((_BORDER - x[:, 0]) / _SOFT)).flatten(1).sum(1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, *S) to logits (N, 2) of healthy and diseased."""
        half = _GAIN * (self.size(x) - self.middle) / self.gap / 2
        return torch.stack([-half, half], 1)


def ventricles(shape: Sequence[int]) -> VentricleRule:
    """The rule as `voxplain simulate` loads it."""
    return VentricleRule(shape)


def fitted(
    healthy: NDArray[np.float32], diseased: NDArray[np.float32], labels: NDArray[np.int32], region: int
) -> VentricleRule:
    """The rule whose window is a region with a voxel around it, wherever a subject has it.

    Args:
        healthy, diseased: (N, 1, *S) images.
        labels: (N, *S) of both.
        region: label of the ventricles.
    """
    rule = VentricleRule(labels.shape[1:])
    rule.window = torch.from_numpy(binary_dilation((labels == region).any(0)).astype(np.float32))
    means = [rule.size(torch.from_numpy(images)).mean() for images in (healthy, diseased)]
    rule.middle, rule.gap = (means[0] + means[1]) / 2, (means[1] - means[0]).abs() / 2
    return rule
