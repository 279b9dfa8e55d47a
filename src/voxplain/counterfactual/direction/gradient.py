"""The direction of a white box: the gradient of its score by the code (latent shift; Cohen et al., MIDL 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from voxplain.counterfactual.direction.direction import Direction, direction
from voxplain.counterfactual.direction.queries import Scorer
from voxplain.counterfactual.generator.protocol import Generator
from voxplain.errors import ModelError


def latent_gradient(
    generator: Generator, scorer: Scorer, code: Tensor, *, whitened: bool = True
) -> Direction:
    """Of one code (D,), along which its image's score rises fastest.

    Args:
        generator: which decodes it with gradients.
        scorer: a model that passes gradients on.
        code: where.
        whitened: fastest per plausible change (Σ times the gradient); otherwise per unit of the code, as published.

    Raises:
        ModelError: no gradient comes back: a black box, or one that does not depend on the image.
    """
    place = code.detach().clone()[None].requires_grad_(True)
    with torch.enable_grad():
        score = scorer(generator.decode(place)).sum()
    if not score.requires_grad:
        raise ModelError(
            "latent gradient: the score has no gradient; a black box needs a direction by queries"
        )
    (slope,) = torch.autograd.grad(score, place)
    statistics = generator.statistics
    step = statistics.factor @ (statistics.factor.T @ slope[0]) if whitened else slope[0]
    return direction("gradient" if whitened else "gradient, not whitened", step, statistics)
