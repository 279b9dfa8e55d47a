"""A classifier that is asked about an image and its mirror images, and whose mean map still is the decision."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from voxplain.inherent.classifier import EvidenceClassifier
from voxplain.inherent.evidence import Explanation
from voxplain.inherent.uncertainty.several import all_flips


class Mirrored(nn.Module):
    """Means over an image and all its mirror images, each map mirrored back.

    Means of contributions add up to the mean logit, whatever the pool; where an image is mirrored, so are the maps, exactly.
    The mean logit is the pool of the mean evidence for a linear pool (mean) alone, which is what `faithful` says of maps;
    `contribution` is what the decision is a sum of.

    Args:
        network: is asked, and not changed.

    >>> net = Mirrored(EvidenceClassifier(nn.Conv2d(1, 4, 3, padding=1), 4, 2, "max", spatial_dims=2))
    >>> answer = net.explain(torch.rand(1, 1, 5, 6))
    >>> bool((answer.contribution.sum((2, 3)) - answer.logits).abs().max() < 1e-5)
    True
    """

    def __init__(self, network: EvidenceClassifier) -> None:
        super().__init__()
        self.network = network
        # axes of (N, C, *S)
        self.flips = [tuple(axis + 2 for axis in turn.flips) for turn in all_flips(network.spatial_dims)]

    def forward(self, x: Tensor) -> Tensor:
        """(N, K) mean logits of (N, C, *S)."""
        return torch.stack([self.network(x.flip(f)) for f in self.flips]).mean(0)

    def explain(self, x: Tensor) -> Explanation:
        """Means of logits, evidence, contribution and residual."""
        answers = [(flips, self.network.explain(x.flip(flips))) for flips in self.flips]

        def mean(part: Callable[[Explanation], Tensor], back: bool) -> Tensor:
            return torch.stack([part(a).flip(f) if back else part(a) for f, a in answers]).mean(0)

        return Explanation(
            mean(lambda a: a.logits, False),
            mean(lambda a: a.evidence, True),
            mean(lambda a: a.contribution, True),
            mean(lambda a: a.residual, False),
            self.network.faithful,
        )
