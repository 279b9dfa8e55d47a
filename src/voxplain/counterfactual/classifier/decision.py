"""The classifier that is explained, as one number: the logit towards the disease."""

from __future__ import annotations

import copy
from typing import Self

import torch
from torch import Tensor, nn

from voxplain.errors import ModelError


class Decision(nn.Module):
    """Logit of a classifier towards one class and away from another. It is held still: a copy in evaluation mode.

    The user's module is not touched: no gradient, mode or in-place activation of it changes. Gradients do flow through to
    the image.

    Args:
        classifier: (N, C, *S) to logits (N, K), or (N, 1) of which positive means diseased.
        healthy: index of the class that is away.
        diseased: index of the class that is towards.
    """

    def __init__(self, classifier: nn.Module, *, healthy: int = 0, diseased: int = 1) -> None:
        super().__init__()
        if healthy == diseased or min(healthy, diseased) < 0:
            raise ModelError(
                f"classes: found healthy {healthy} and diseased {diseased}, expected two different indices"
            )
        with torch.no_grad():  # a copy of TorchScript's weights would have a gradient to the original ones
            self.classifier = copy.deepcopy(classifier).eval()
        for parameter in self.classifier.parameters():  # TorchScript has no requires_grad_ of its own
            parameter.requires_grad_(False)
        self.healthy, self.diseased = healthy, diseased

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, *S) to (N,): above 0 the decision is diseased.

        Raises:
            ModelError: the classifier gives no logits of these classes.
        """
        return self.of(self.classifier(x), len(x))

    def of(self, out: Tensor, count: int) -> Tensor:
        """(N,) the decision from the classifier's outputs (N, K) for so many images.

        Raises:
            ModelError: they are no logits of these classes.
        """
        if not isinstance(out, Tensor) or out.ndim != 2 or len(out) != count:
            found = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise ModelError(f"classifier: gives {found} for {count} images, expected logits ({count}, K)")
        if out.shape[1] == 1:
            return out[:, 0]
        if max(self.healthy, self.diseased) >= out.shape[1]:
            raise ModelError(
                f"classifier: gives {out.shape[1]} classes, but class {max(self.healthy, self.diseased)} is asked for"
            )
        return out[:, self.diseased] - out[:, self.healthy]

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode, whatever it is part of."""
        return super().train(False)
