"""Cross-entropy in which rare classes count as much as common ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional


def class_weights(targets: npt.NDArray[np.float32], *, multi_label: bool) -> Tensor:
    """(K,) float32: n / (K · count) per class, as scikit-learn's "balanced"; of independent labels absent / present.

    Args:
        targets: (n, K) zeros and ones of the training part.
        multi_label: whether labels are independent.

    >>> class_weights(np.eye(2, dtype=np.float32)[[0, 0, 0, 1]], multi_label=False)
    tensor([0.6667, 2.0000])
    """
    count = targets.sum(0).clip(1)
    weights = (len(targets) - count) / count if multi_label else len(targets) / (targets.shape[1] * count)
    return torch.from_numpy(np.asarray(weights, np.float32))


def losses(logits: Tensor, truth: Tensor, weights: Tensor | None) -> Tensor:
    """The loss of every sample, (N,) in float32.

    Sums of these over samples divided by their number are the loss, not by the sum of their weights as in torch's mean:
    then it does not matter how a batch is cut into passes and processes.

    Args:
        logits: (N, K).
        truth: (N,) classes, or (N, K) independent labels, whose losses are averaged.
        weights: (K,) of `class_weights`, or none.
    """
    scores = logits.float()
    if truth.ndim == 2:
        every = functional.binary_cross_entropy_with_logits(
            scores, truth, pos_weight=weights, reduction="none"
        )
        return every.mean(1)
    return functional.cross_entropy(scores, truth, weight=weights, reduction="none")
