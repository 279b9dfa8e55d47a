"""One row of numbers of generated images against real ones, the same in every round and for every family."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxplain.counterfactual.measure.features import RandomFeatures, in_batches
from voxplain.counterfactual.measure.realism import (
    alike_scaled,
    distinctness,
    diversity,
    frechet,
    kernel_distance,
)


def compared(images: Tensor, real: Tensor, features: nn.Module | None = None) -> dict[str, float]:
    """KID, FID, diversity and distinctness.

    Args:
        images, real: (N, C, *S) and (M, C, *S).
        features: (N, C, *S) to (N, F); by default of a network that was never trained.

    Returns:
        ``kid``, ``fid`` (of shrunk covariances), ``fid images`` and ``fid features`` (how many of each it is of),
        ``diversity``, ``distinctness``.
    """
    network = RandomFeatures(real.shape[1], real.ndim - 2) if features is None else features
    network = network.to(real.device)
    ours, theirs = alike_scaled(in_batches(network, real), in_batches(network, images))
    with torch.no_grad():
        return {
            "kid": kernel_distance(ours, theirs),
            "fid": frechet(ours, theirs, shrink=True),
            "fid images": float(min(len(ours), len(theirs))),
            "fid features": float(ours.shape[1]),
            "diversity": diversity(images, real),
            "distinctness": distinctness(images, real),
        }
