"""How a segmentation becomes two numbers, background and vessel: as it was published, and so that it has a gradient."""

from __future__ import annotations

import torch
from skimage.filters import threshold_otsu
from torch import Tensor, nn


class First(nn.Module):
    """Head 0 of a network that returns a list."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, *spatial) logits."""
        out = self.network(x)
        return out[0] if isinstance(out, list) else out


class ThresholdCounts(First):
    """The published rule: two voxel counts (N, 2), background and vessel.

    The output is scaled to [0, 1] as a whole, Otsu's threshold is taken there, and the *unscaled* output is compared
    with it. A voxel counts as out / out, so the counts are in the graph, but their gradient is zero: d(out / out) = 0.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Counts of the voxels at or below the threshold and of those above it."""
        out = super().forward(x)
        values = out.detach().cpu().numpy().ravel()  # scikit-image takes short axes for colours
        level = float(threshold_otsu((values - values.min()) / (values.max() - values.min())))
        ones, above = out / out, (out > level).to(out)
        axes = tuple(range(2, out.dim()))
        return torch.cat([(ones * (1 - above)).sum(axes), (ones * above).sum(axes)], 1)


class MaskedSums(First):
    """Sums of logits (N, 2) outside and inside a mask: the one predicted for an image, which then stays.

    Args:
        network: what to ask.
        x: (1, 1, *spatial), the image whose prediction is the mask.
    """

    mask: Tensor

    def __init__(self, network: nn.Module, x: Tensor) -> None:
        super().__init__(network)
        with torch.no_grad():
            self.register_buffer("mask", (super().forward(x) > 0).to(x))

    def forward(self, x: Tensor) -> Tensor:
        """Sums over the background and over the vessels."""
        out = super().forward(x)
        axes = tuple(range(2, out.dim()))
        return torch.cat([(out * (1 - self.mask)).sum(axes), (out * self.mask).sum(axes)], 1)
