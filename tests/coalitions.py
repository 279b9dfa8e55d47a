"""Coalition games by brute force: whole composed images through MONAI's sliding-window inference."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from stitched import scores, stitched
from torch import Tensor, nn

from voxplain.model import Windows

LAYOUTS = [
    pytest.param((9, 11), Windows(roi=6, overlap=0.5), id="2d-constant"),
    pytest.param((10, 13), Windows(roi=(6, 8), overlap=0.25, blend="gaussian"), id="2d-gaussian"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding_value=-0.7), id="2d-padded"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="reflect"), id="2d-reflect"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="circular"), id="2d-circular"),
    pytest.param((5, 9, 8), Windows(roi=6, overlap=0.5, padding="replicate"), id="3d-replicate"),
    pytest.param((7, 9, 8), Windows(roi=6, overlap=0.5, blend="gaussian"), id="3d-gaussian"),
    pytest.param((7, 6, 8), Windows(), id="3d-whole"),
]
SCORES = ["logit", "margin", "log_probability", "probability"]


class Brute:
    """v(S) of every class: the image where a member of S is, the baseline where another player is.

    Args:
        owner: (C or 1, *S) integers, the player of every voxel; -1 for nobody.
    """

    def __init__(
        self, net: nn.Module, image: Tensor, baseline: Tensor, owner: Tensor, windows: Windows, kind: str
    ) -> None:
        self.net, self.image, self.baseline, self.owner = net, image, baseline, owner
        self.windows, self.kind = windows, kind
        self.clean = stitched(net, image, windows).detach()
        self.players = int(owner.max()) + 1
        self.known: dict[frozenset[int], Tensor] = {}

    @torch.no_grad()
    def __call__(self, members) -> Tensor:
        key = frozenset(int(i) for i in members)
        if key not in self.known:
            shown = torch.from_numpy(np.isin(self.owner.numpy(), [*key, -1])).expand_as(self.image)
            x = torch.where(shown, self.image, self.baseline)
            self.known[key] = scores(stitched(self.net, x, self.windows), self.clean, self.kind)
        return self.known[key]

    def along(self, order) -> Tensor:
        """Gains of the players as they join in this order, (R, K); zero for those who do not."""
        out = torch.zeros((self.players, len(self.clean)), dtype=torch.float64)
        for k, i in enumerate(order):
            out[i] = self(order[: k + 1]) - self(order[:k])
        return out

    def shapley(self) -> Tensor:
        """The definition: the mean gain over all orders, (K, R)."""
        orders = list(permutations(range(self.players)))
        return (sum(self.along(order) for order in orders) / len(orders)).T


def blocks(shape, counts, nobody=True):
    """Labels 1, 2, ... of a grid of blocks, the first row of voxels nobody's (label 0)."""
    labels = np.zeros(shape, dtype=np.int32)
    for axis, count in enumerate(counts):
        index = np.arange(shape[axis]) * count // shape[axis]
        labels = labels * count + index.reshape([-1 if a == axis else 1 for a in range(len(shape))])
    labels += 1
    if nobody:
        labels[0] = 0
    return labels
