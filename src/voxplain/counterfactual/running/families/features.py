"""The network of features that the settings name, for KID and FID."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxplain.counterfactual.settings.features import FeatureSettings
from voxplain.errors import ModelError
from voxplain.model.factory import build
from voxplain.model.weights import load_weights


def features_of(asked: FeatureSettings, shape: tuple[int, ...]) -> nn.Module | None:
    """The network, checked; None where the settings name none.

    Args:
        asked: the settings.
        shape: (C, *S) of images.

    Raises:
        ModelError: it cannot be built, its weights do not fit, or it gives no features (N, F).
    """
    if asked.source is None:
        return None
    network = build(asked.source, asked.arguments)
    if asked.weights is not None:
        load_weights(network, asked.weights)
    network.requires_grad_(False).eval()
    try:
        with torch.no_grad():
            found = network(torch.rand(2, *shape, generator=torch.Generator().manual_seed(0)))
    except (RuntimeError, ValueError, TypeError) as error:
        line = " ".join(str(error).split())[:160]
        raise ModelError(f"features {asked.source}: does not take images {(2, *shape)}: {line}") from error
    if (
        not isinstance(found, Tensor)
        or found.ndim != 2
        or len(found) != 2
        or not bool(found.isfinite().all())
    ):
        told = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise ModelError(
            f"features {asked.source}: gives {told} for two images, expected finite features (2, F)"
        )
    return network
