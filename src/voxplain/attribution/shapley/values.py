"""What Shapley methods share: exact values of a small game, and how shares are told."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import torch
from torch import Tensor

from voxplain.engine import Problem


@dataclass(frozen=True)
class Shares:
    """What a game's players get.

    Attributes:
        values: (T, R) double; NaN for absent targets.
        full: (T,) score of the image.
        empty: (T,) score with every player absent.
        halves: (T, R) twice, from two halves of the draws; ``None`` where there are none.
        exact: whether nothing was drawn: every coalition that matters was asked.
    """

    values: Tensor
    full: Tensor
    empty: Tensor
    halves: tuple[Tensor, Tensor] | None = None
    exact: bool = False


def all_coalitions(players: int) -> Tensor:
    """Every coalition, (2^m, m) bool: player i is bit i of the row's number, so row 0 is empty and the last full.

    >>> all_coalitions(2).int().tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    numbers = torch.arange(2**players)
    return (numbers[:, None] >> torch.arange(players)[None]) % 2 == 1


def exact_shapley(values: Tensor) -> Tensor:
    """Shapley values from the values of all coalitions: (2^m, T) in the order of `all_coalitions` -> (m, T).

    ``φ_i = Σ_{S ∌ i} (v(S ∪ i) − v(S)) / (m · C(m − 1, |S|))``. A player that changes nothing gets exactly zero.

    Source: Shapley 1953, "A value for n-person games".
    """
    players = len(values).bit_length() - 1
    sizes = all_coalitions(players).sum(1)
    weights = torch.tensor(
        [1 / (players * comb(players - 1, s)) for s in range(players)], dtype=torch.float64
    )
    shares = torch.zeros((players, values.shape[1]), dtype=torch.float64)
    for i in range(players):
        by_player = values.reshape(-1, 2, 2**i, values.shape[1])
        gains = (by_player[:, 1] - by_player[:, 0]).flatten(0, 1)
        without = sizes.reshape(-1, 2, 2**i)[:, 0].flatten()
        shares[i] = (weights[without][:, None] * gains).sum(0)
    return shares


def agreement(first: Tensor, second: Tensor, voxels: Tensor) -> float:
    """Correlation of two painted maps, from shares (R,) of players of so many voxels (R,); NaN where one is flat."""
    weights = voxels.double() / voxels.sum()
    a, b = (half / voxels for half in (first, second))
    a, b = a - (weights * a).sum(), b - (weights * b).sum()
    norm = float(((weights * a * a).sum() * (weights * b * b).sum()).sqrt())
    return float((weights * a * b).sum()) / norm if norm > 0 else float("nan")


def is_rounding(problem: Problem, t: int, shares: Shares) -> bool:
    """Whether all of a target's shares are no larger than rounding of its scores could make them."""
    largest = max(abs(float(shares.full[t])), abs(float(shares.empty[t])))
    limit = 64 * torch.finfo(problem.dtype).eps * largest
    return not bool((shares.values[t].abs() > limit).any())
