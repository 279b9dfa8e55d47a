"""Random orders in which players join, in draws that estimate a value without bias and can be compared."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Orders = NDArray[np.int64]


def reversed_pairs(count: int, groups: Tensor, rng: np.random.Generator) -> Tensor:
    """Draws of an order and its reverse, in which the members of a group follow each other: (count, 2, m).

    With the reverse, interactions of two players cancel exactly (Mitchell et al. 2022, "Sampling permutations for
    Shapley value estimation").

    Args:
        groups: (m,) the group of every player; all different where there are none.
    """
    numbers = groups.numpy()
    rows = np.zeros((count, 2, len(numbers)), dtype=np.int64)
    for draw in rows:
        place = rng.permutation(int(numbers.max(initial=-1)) + 1)
        draw[0] = np.lexsort((rng.random(len(numbers)), place[numbers]))
        draw[1] = draw[0, ::-1]
    return torch.from_numpy(rows)


def squares(count: int, players: int, rng: np.random.Generator) -> Tensor:
    """Draws of so many orders that any two players follow each other equally often: (count, d, m).

    A balanced square of m orders (m even; 2 m for odd m, with the reverses) whose players are renamed at random. Every
    player stands in every place equally often, and every order's reverse is there too.

    Source: Williams 1949, "Experimental designs balanced for the estimation of residual effects of treatments".
    """
    square = balanced(players)
    return torch.from_numpy(np.stack([rng.permutation(players)[square] for _ in range(count)]))


def square_size(players: int) -> int:
    """Orders of a draw of `squares`."""
    return players if players % 2 == 0 else 2 * players


def balanced(players: int) -> Orders:
    """Orders (d, m) in which every player is followed by every other equally often.

    >>> balanced(4).tolist()
    [[0, 1, 3, 2], [1, 2, 0, 3], [2, 3, 1, 0], [3, 0, 2, 1]]
    """
    steps = np.arange(players)
    zigzag = np.where(steps % 2 == 1, (steps + 1) // 2, -(steps // 2))
    rows = (zigzag[None] + steps[:, None]) % players
    return rows if players % 2 == 0 else np.concatenate([rows, rows[:, ::-1]])
