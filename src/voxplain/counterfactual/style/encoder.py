"""From images back to styles."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from voxplain.counterfactual.style.discriminator import encoder_body
from voxplain.counterfactual.style.layers import Linear, leaky


class StyleEncoder(nn.Module):
    """Residual blocks and two layers to w, or to a w of every layer.

    Args:
        shape: (C, *S).
        styles: length of w.
        layers: 0 for one w; else how many an image takes, each as a difference from the first (Tov et al., SIGGRAPH 2021).
        levels, width, most: as of `Synthesis`.
    """

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
        voxels = int(torch.tensor(coarse).prod())
        self.hidden = Linear(outputs * voxels, max(outputs, styles))
        self.first = Linear(max(outputs, styles), styles)
        self.others = nn.Linear(max(outputs, styles), styles * max(layers - 1, 0)) if layers else None
        if self.others is not None:  # all layers begin with one style
            nn.init.zeros_(self.others.weight)
            nn.init.zeros_(self.others.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, *S) to (N, styles), or (N, layers, styles)."""
        hidden = leaky(self.hidden(self.body(x).flatten(1)))
        w: Tensor = self.first(hidden)
        if self.others is None:
            return w
        deltas = self.others(hidden).reshape(len(x), self.layers - 1, self.styles)
        return torch.cat([w[:, None], w[:, None] + deltas], 1)
