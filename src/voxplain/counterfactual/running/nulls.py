"""How often random directions change the decision: what a flip is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.counterfactual.direction import Direction
from voxplain.counterfactual.direction.queries import Scorer, scored
from voxplain.counterfactual.generator.protocol import Generator

STEPS = 12


@dataclass(frozen=True)
class Nulls:
    """Shares of random directions that flip one image.

    Attributes:
        alike: at the dose of the direction that is explained.
        ever: at any dose up to the limit.
    """

    alike: float
    ever: float


def nulls_of(
    generator: Generator, scorer: Scorer, ways: Sequence[Direction], x: Tensor, *, dose: float, sign: float,
    limit: float, reinject: bool,
) -> Nulls:  # fmt: skip
    """Of an image (C, *S) whose direction reaches its target at a dose.

    Args:
        generator: of the images.
        scorer: the classifier.
        ways: random directions.
        x: the image.
        dose: of the direction that is explained.
        sign: of the way: 1 where the logit must rise.
        limit: the largest dose.
        reinject: whether the image is changed, or its copy.
    """
    with torch.no_grad():
        code = generator.encode(x[None])
        rest = x[None] - generator.decode(code) if reinject else 0.0
        doses = torch.cat([torch.tensor([0.0, dose]), torch.linspace(0, limit, STEPS + 1)[1:]]).to(x)
        flips = []
        for way in ways:
            logits = scored(scorer, generator.decode(code + sign * doses[:, None] * way.vector) + rest)
            flips.append((logits > 0) != (logits[0] > 0))
    found = torch.stack(flips)
    return Nulls(float(found[:, 1].double().mean()), float(found.any(1).double().mean()))
