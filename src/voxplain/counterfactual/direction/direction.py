"""A way through the family of images, with what says whether it is the model's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.errors import InputError


@dataclass(frozen=True, eq=False)
class Direction:
    """A step between codes; adding it once moves by one standard deviation of plausible images (Mahalanobis).

    Args:
        name: how it was found.
        vector: (D,), of Mahalanobis length 1; scores rise along it.
        facts: numbers that say whether to believe it, such as ``r2`` and ``agreement``.
    """

    name: str
    vector: Tensor
    facts: Mapping[str, float] = field(default_factory=dict)


def direction(name: str, step: Tensor, statistics: LatentStatistics, **facts: float) -> Direction:
    """A direction along a step (D,) of any length.

    Raises:
        InputError: a step of length zero: the score does not depend on the codes.
    """
    length = float(statistics.length(step))
    if not length > 0:
        raise InputError(f"direction {name!r}: has no length; the scores do not depend on the codes")
    return Direction(name, step / length, facts)


def random_direction(statistics: LatentStatistics, *, seed: int) -> Direction:
    """One that knows nothing, equally likely to point anywhere among plausible images: the null that others must beat."""
    generator = torch.Generator().manual_seed(seed)
    u = torch.randn(statistics.rank, generator=generator).to(statistics.factor)
    return direction("random", statistics.factor @ u, statistics)


def cosine(a: Direction, b: Direction, statistics: LatentStatistics) -> float:
    """Of two directions, where all plausible changes count alike."""
    u, v = (statistics.whiten(d.vector[None] + statistics.mean)[0].double() for d in (a, b))
    return float((u @ v) / (u.norm() * v.norm()))
