"""From images back to styles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxplain.counterfactual.style.discriminator import encoder_body
from voxplain.counterfactual.style.layers import Linear, leaky
from voxplain.counterfactual.style.scale import ImageScale

# Edges that components are found of at most: they tell what is large, and the network what is small.
_COARSE = {2: 64, 3: 24}


class StyleEncoder(nn.Module):
    """Residual blocks and two layers to w, or to a w of every layer, added to linear components of the image.

    Args:
        shape: (C, *S).
        styles: length of w.
        layers: 0 for one w; else how many an image takes, each as a difference from the first (Tov et al., SIGGRAPH 2021).
        levels, width, most: as of `Synthesis`.
    """

    filters: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        styles: int,
        *,
        layers: int = 0,
        levels: int | None = None,
        width: int = 16,
        most: int = 128,
    ) -> None:
        super().__init__()
        self.body, outputs, coarse = encoder_body(shape, levels, width, most)
        self.layers, self.styles = layers, styles
        self.scale = ImageScale(shape)
        self.register_buffer("filters", torch.zeros(styles, *coarsened(torch.zeros(1, *shape)).shape[1:]))
        voxels = int(torch.tensor(coarse).prod())
        self.hidden = Linear(outputs * voxels, max(outputs, styles))
        self.first = Linear(max(outputs, styles), styles)
        self.others = nn.Linear(max(outputs, styles), styles * max(layers - 1, 0)) if layers else None
        if self.others is not None:  # all layers begin with one style
            nn.init.zeros_(self.others.weight)
            nn.init.zeros_(self.others.bias)

    @torch.no_grad()
    def begin(self, filters: Tensor) -> None:
        """Give linear components (styles, C, *coarse) alone at first; the network learns what to add."""
        self.filters.copy_(filters)
        nn.init.zeros_(self.first.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, *S) to (N, styles), or (N, layers, styles)."""
        x = self.scale.inward(x)
        hidden = leaky(self.hidden(self.body(x).flatten(1)))
        w: Tensor = self.first(hidden) + coarsened(x).flatten(1) @ self.filters.flatten(1).T
        if self.others is None:
            return w
        deltas = self.others(hidden).reshape(len(x), self.layers - 1, self.styles)
        return torch.cat([w[:, None], w[:, None] + deltas], 1)


def coarsened(x: Tensor) -> Tensor:
    """Images (N, C, *S) averaged to few voxels, where they have more."""
    dims = x.ndim - 2
    size = [min(n, _COARSE[dims]) for n in x.shape[2:]]
    if size == list(x.shape[2:]):
        return x
    pool: Any = F.adaptive_avg_pool2d if dims == 2 else F.adaptive_avg_pool3d
    found: Tensor = pool(x, size)
    return found
