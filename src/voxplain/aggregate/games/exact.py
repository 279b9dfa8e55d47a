"""Values of small games of which every coalition that matters is known."""

from __future__ import annotations

from math import comb, factorial

import torch
from torch import Tensor

from voxplain.attribution.shapley.values import all_coalitions


def exact_interaction(values: Tensor) -> Tensor:
    """Shapley interaction index of every pair, from all coalitions: (2^m, T) as `all_coalitions` -> (m, m, T).

    ``I_ij = Σ_{S ⊆ N∖ij} (v(S∪ij) − v(S∪i) − v(S∪j) + v(S)) / ((m − 1) · C(m − 2, |S|))``: positive where two players
    are worth more together than apart. Symmetric; the diagonal is zero and left to the values of single players.

    Source: Grabisch & Roubens 1999, "An axiomatic approach to the concept of interaction among players in cooperative
    games".
    """
    players = len(values).bit_length() - 1
    sizes = all_coalitions(players).sum(1)
    weights = torch.tensor(
        [1 / ((players - 1) * comb(players - 2, s)) for s in range(players - 1)], dtype=torch.float64
    )
    out = torch.zeros((players, players, values.shape[1]), dtype=torch.float64)
    for i in range(players):
        gain = _gains(values, i)
        for j in range(i):
            # without player i the numbers close up above bit i, so bits below it stay where they are
            both = _gains(gain, j)
            own = _without(_without(sizes, i), j)
            out[i, j] = out[j, i] = (weights[own][:, None] * both).sum(0)
    return out


def group_game(values: Tensor, groups: int, players: int) -> Tensor:
    """One group's own game, averaged over which of the other groups are there, whole: (2^p, T).

    Its Shapley values are the Owen values of the group's players.

    Args:
        values: (2^groups · 2^players, T): the other groups' coalition is the slow, the players' the fast index, both
            in the order of `all_coalitions`.
        groups: number of the other groups.
        players: p, of the group.

    Source: Owen 1977, "Values of games with a priori unions".
    """
    sizes = all_coalitions(groups).sum(1)
    count = groups + 1
    weights = torch.tensor(
        [factorial(s) * factorial(count - s - 1) / factorial(count) for s in range(count)],
        dtype=torch.float64,
    )
    by_groups = values.reshape(2**groups, 2**players, -1)
    return (weights[sizes][:, None, None] * by_groups).sum(0)


def _gains(values: Tensor, player: int) -> Tensor:
    """What a player adds to every coalition of the others: (2^m, T) -> (2^(m − 1), T)."""
    pairs = values.reshape(-1, 2, 2**player, values.shape[-1])
    return (pairs[:, 1] - pairs[:, 0]).flatten(0, 1)


def _without(sizes: Tensor, player: int) -> Tensor:
    """(2^m,) of the coalitions that a player is not in."""
    return sizes.reshape(-1, 2, 2**player)[:, 0].flatten()
