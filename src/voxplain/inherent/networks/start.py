"""Where a classifier's logits start, before it has learned anything."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from voxplain.inherent.classifier import EvidenceClassifier


class Offset(nn.Module):
    """Adds a learned number to each class's evidence (N, K, *S); stands for a read-out where the network has its own."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(classes))

    def forward(self, evidence: Tensor) -> Tensor:
        return evidence + self.bias.reshape(-1, *[1] * (evidence.ndim - 2))


def start_neutral(network: EvidenceClassifier, shape: Sequence[int]) -> None:
    """Start the read-out's bias where an image without any evidence gets logits of 0.

    Noisy-or adds places up, so that without this its first logits are in the thousands; of the other pools 0 is neutral,
    and nothing is changed.

    Args:
        network: with random weights.
        shape: (C, *S) of the images that it will learn from.
    """
    neutral = network.pool.neutral(math.prod(shape[1:]))
    if neutral == 0 or not network.faithful:
        return
    if isinstance(network.readout, nn.Identity):
        network.readout = Offset(network.classes)
    nn.init.constant_(network.readout.get_parameter("bias"), neutral)
