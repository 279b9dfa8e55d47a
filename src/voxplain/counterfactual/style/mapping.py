"""From noise to styles."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxplain.counterfactual.style.layers import Linear, leaky


class Mapping(nn.Module):
    """Normal noise z, scaled to length √D, through a few layers to w, which need not be normal.

    Args:
        size: D of z and w.
        depth: layers.
        rate: by how much slower they learn than all others.
    """

    mean: Tensor

    def __init__(self, size: int, depth: int = 2, rate: float = 0.01) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.ModuleList(Linear(size, size, rate=rate) for _ in range(depth))
        self.register_buffer("mean", torch.zeros(size))

    def forward(self, z: Tensor) -> Tensor:
        """(N, D) to (N, D)."""
        w = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for layer in self.layers:
            w = leaky(layer(w))
        return w

    @torch.no_grad()
    def track(self, w: Tensor, decay: float = 0.995) -> None:
        """Follow the mean of w, towards which truncation pulls."""
        self.mean.lerp_(w.detach().mean(0).to(self.mean), 1 - decay)

    def truncated(self, w: Tensor, share: float) -> Tensor:
        """Towards the mean: 1 leaves w, 0 gives the mean. What is rare is badly learned (Karras et al., CVPR 2019)."""
        return self.mean + share * (w - self.mean)
