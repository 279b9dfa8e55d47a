"""From noise to styles."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxplain.counterfactual.style.layers import Linear, leaky

_SETTLED = 256  # draws per coordinate


class Mapping(nn.Module):
    """Normal noise z, scaled to length √D, through a few layers to w, which need not be normal.

    Args:
        size: D of z and w.
        depth: layers.
        rate: by how much slower they learn than all others.
    """

    mean: Tensor
    offset: Tensor
    turn: Tensor

    def __init__(self, size: int, depth: int = 2, rate: float = 0.01) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.ModuleList(Linear(size, size, rate=rate) for _ in range(depth))
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("offset", torch.zeros(size))
        self.register_buffer("turn", torch.eye(size))

    def forward(self, z: Tensor) -> Tensor:
        """(N, D) to (N, D)."""
        w = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for layer in self.layers:
            w = leaky(layer(w))
        return (w - self.offset) @ self.turn

    @torch.no_grad()
    def settle(self, *, seed: int = 0) -> None:
        """From now on w has about mean 0 and covariance 1, as whitened codes have; what is learned later may change that."""
        generator = torch.Generator().manual_seed(seed)
        z = torch.randn(_SETTLED * self.size, self.size, generator=generator)
        self.offset.zero_()
        self.turn.copy_(torch.eye(self.size))
        w = self(z.to(self.mean)).double()
        values, vectors = torch.linalg.eigh(torch.cov(w.T))
        self.offset.copy_(w.mean(0))
        self.turn.copy_(vectors @ torch.diag(values.clamp_min(1e-8).rsqrt()) @ vectors.T)
        self.mean.zero_()

    @torch.no_grad()
    def track(self, w: Tensor, decay: float = 0.995) -> None:
        """Follow the mean of w, towards which truncation pulls."""
        self.mean.lerp_(w.detach().mean(0).to(self.mean), 1 - decay)

    def truncated(self, w: Tensor, share: float) -> Tensor:
        """Towards the mean: 1 leaves w, 0 gives the mean. What is rare is badly learned (Karras et al., CVPR 2019)."""
        return self.mean + share * (w - self.mean)
