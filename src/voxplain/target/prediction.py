"""The clean prediction that regions and rivals are taken from, once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.target.functional import Output


@dataclass(frozen=True)
class Prediction:
    """What the network says about the clean image.

    Attributes:
        labels: (*spatial) int16 winning class; for a classifier a scalar tensor. For independent (sigmoid)
            classes the strongest class.
        second: the runner-up, like ``labels``.
        positive: (K, *spatial) bool, for sigmoid outputs only: classes beyond their threshold.
        output: (K,) raw output of a classifier; ``None`` for segmentation.
        disagreement: of the voxels that overlapping windows share and at least one calls other than class 0, the
            share at which their own winning classes differ. Large where windows are too small for what the
            network looks at. NaN without overlaps.
        certainty: (K, 4) float64, of a segmentation: of each class its voxels, the sum of its probability over them, of them
            those that touch another class with a face, and how many of these are doubtful (`voxplain.engine.certainty`).
            ``None`` where it was not found out.
    """

    labels: Tensor
    second: Tensor
    positive: Tensor | None = None
    output: Tensor | None = None
    disagreement: float = float("nan")
    certainty: Tensor | None = None

    def rival(self, class_index: int) -> Tensor:
        """The strongest class other than ``class_index``, at every voxel."""
        return torch.where(self.labels == class_index, self.second, self.labels)


def winner(z: Tensor, output: Output) -> Tensor:
    """Winning class of raw outputs (K, ...), int16."""
    if z.shape[0] == 1:
        return (z[0] > (0.5 if output == "probabilities" else 0.0)).to(torch.int16)
    return z.argmax(0).to(torch.int16)


def signature(z: Tensor, output: Output) -> Tensor | None:
    """What raw outputs (K, ...) say of a voxel, as one int16: the winning class, or for independent (sigmoid)
    classes one bit each; 0 is background. ``None`` where there are too many bits.
    """
    if output != "sigmoid":
        return winner(z, output).cpu()
    if z.shape[0] > 15:
        return None
    bits = torch.zeros(z.shape[1:], dtype=torch.int16, device=z.device)
    for k in range(z.shape[0]):
        bits |= (z[k] > 0).to(torch.int16) << k
    return bits.cpu()


def decide(z: Tensor, output: Output) -> tuple[Tensor, Tensor, Tensor | None]:
    """Raw outputs (K, ...) -> winning class, runner-up (int16), and thresholded classes for sigmoid outputs."""
    if z.shape[0] == 1:
        first = winner(z, output)
        return first, 1 - first, None
    best, first = z.max(dim=0)
    # the runner-up without a copy of all channels: the best of those below and those above the winner
    second = torch.full_like(first, -1)
    value = torch.full_like(best, -torch.inf)
    for k in range(z.shape[0]):
        better = (first != k) & ((z[k] > value) | (second < 0))
        value = torch.where(better, z[k], value)
        second = torch.where(better, torch.full_like(second, k), second)
    positive = z > 0 if output == "sigmoid" else None
    return first.to(torch.int16), second.to(torch.int16), positive
