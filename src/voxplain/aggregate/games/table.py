"""The coalitions that are asked of one game, and what their values say about its players.

A table is made before anything runs, so that its length is the cost. Every coalition is in it once, and Shapley values,
occlusion and interactions are all read from it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.aggregate.games.exact import exact_interaction, group_game
from voxplain.attribution.shapley.sampling import prefixes
from voxplain.attribution.shapley.values import all_coalitions, exact_shapley
from voxplain.engine.game import distinct


@dataclass(frozen=True)
class Solved:
    """What a table's values say, double; ``None`` is what the table was not made for.

    Attributes:
        full: (T,) everybody present.
        empty: (T,) nobody.
        share: (m, T) Shapley or Owen values.
        variance: (m, T) of their estimate; zero where nothing was drawn.
        occlusion: (m, T) loss when the player alone leaves.
        alone: (m, T) gain when the player alone joins.
        interaction: (m, m, T) Shapley interaction index of pairs, zero diagonal.
        interaction_variance: (m, m, T).
    """

    full: Tensor
    empty: Tensor
    share: Tensor | None = None
    variance: Tensor | None = None
    occlusion: Tensor | None = None
    alone: Tensor | None = None
    interaction: Tensor | None = None
    interaction_variance: Tensor | None = None


class Table(ABC):
    """Coalitions of m players.

    Attributes:
        coalitions: (u, m) bool, all different.
        is_exact: whether what it says is exact.
    """

    coalitions: Tensor
    is_exact: bool = True

    @abstractmethod
    def solve(self, values: Tensor) -> Solved:
        """What the coalitions' values (u, T) say."""

    @property
    def visit(self) -> Tensor:
        """(u,) an order in which neighbours are alike, for scores whose cost depends on what changes."""
        return torch.arange(len(self.coalitions))


class Singles(Table):
    """Nobody, everybody, and each player alone and left out: occlusion, and no more."""

    def __init__(self, players: int) -> None:
        self.coalitions, self._place = distinct(singles(players))

    def solve(self, values: Tensor) -> Solved:
        return _solved_singles(values[self._place])


class Everything(Table):
    """All 2^m coalitions."""

    def __init__(self, players: int, *, interaction: bool) -> None:
        self.coalitions = all_coalitions(players)
        self.interaction = interaction

    def solve(self, values: Tensor) -> Solved:
        players = self.coalitions.shape[1]
        bits = 2 ** torch.arange(players)
        last = len(values) - 1
        share = exact_shapley(values)
        pairs = exact_interaction(values) if self.interaction else None
        return Solved(
            full=values[last],
            empty=values[0],
            share=share,
            variance=torch.zeros_like(share),
            occlusion=values[last] - values[last - bits],
            alone=values[bits] - values[0],
            interaction=pairs,
            interaction_variance=None if pairs is None else torch.zeros_like(pairs),
        )

    @property
    def visit(self) -> Tensor:
        """Gray's code: one player comes or goes, the first ones most often."""
        numbers = torch.arange(len(self.coalitions))
        return numbers ^ (numbers >> 1)


class Grouped(Table):
    """All coalitions that Owen values ask for: whole groups, with part of one group at most.

    Args:
        groups: (m,) the group of every player, 0 to M − 1.
    """

    def __init__(self, groups: Tensor) -> None:
        self.groups = groups
        self.count = int(groups.max()) + 1 if len(groups) else 0
        self._members = [(groups == g).nonzero()[:, 0] for g in range(self.count)]
        empty = torch.zeros((1, len(groups)), dtype=torch.bool)
        rows = [empty, ~empty, *(self._rows(g) for g in range(self.count))]
        self.coalitions, place = distinct(torch.cat(rows))
        self._place = torch.split(place, [len(r) for r in rows])

    @staticmethod
    def length(sizes: list[int]) -> int:
        """Number of coalitions: 2^M of whole groups, and (2^p − 2) · 2^(M − 1) for the parts of a group of p.

        >>> Grouped.length([1, 2]), len(Grouped(torch.tensor([0, 1, 1])).coalitions)
        (8, 8)
        """
        count = len(sizes)
        return (1 << count) + sum(((1 << p) - 2) << (count - 1) for p in sizes)

    def _rows(self, group: int) -> Tensor:
        """(2^(M − 1) · 2^p, m): every choice of whole other groups with every part of this one."""
        own = self._members[group]
        others = torch.tensor([g for g in range(self.count) if g != group], dtype=torch.long)
        whole = torch.zeros((2 ** len(others), self.count), dtype=torch.bool)
        whole[:, others] = all_coalitions(len(others))
        rows = whole[:, self.groups].repeat_interleave(2 ** len(own), 0)
        rows[:, own] = all_coalitions(len(own)).repeat(len(whole), 1)
        return rows

    def solve(self, values: Tensor) -> Solved:
        share = torch.zeros((len(self.groups), values.shape[1]), dtype=torch.float64)
        for own, place in zip(self._members, self._place[2:], strict=True):
            share[own] = exact_shapley(group_game(values[place], self.count - 1, len(own)))
        full, empty = values[self._place[1][0]], values[self._place[0][0]]
        return Solved(full, empty, share, torch.zeros_like(share))


class Drawn(Table):
    """Coalitions along drawn orders: each draw gives all values without bias, so their spread is the error.

    Args:
        orders: (n, d, m) draws of d orders.
        alone: also each player alone and left out.
        interaction: also the second of each two that follow each other without the first.
    """

    is_exact = False

    def __init__(self, orders: Tensor, *, alone: bool, interaction: bool) -> None:
        self.orders, self.alone, self.interaction = orders, alone, interaction
        players = orders.shape[2]
        along = orders.flatten(0, 1)
        grown = prefixes(along, players)
        rows = [singles(players) if alone else singles(players)[[0, -1]], grown]
        if interaction:
            rows.append(_swapped(along, grown))
        self.coalitions, place = distinct(torch.cat(rows))
        self._place = torch.split(place, [len(r) for r in rows])

    def solve(self, values: Tensor) -> Solved:
        ends, (draws, per_draw, players) = values[self._place[0]], self.orders.shape
        along = values[self._place[1]].reshape(draws, per_draw, players + 1, -1)
        share, variance = _mean([_gains(o, v) for o, v in zip(self.orders, along, strict=True)])
        pairs = pairs_variance = None
        if self.interaction:
            swapped = values[self._place[2]].reshape(draws, per_draw, players - 1, -1)
            found = [_pairs(o, v, s) for o, v, s in zip(self.orders, along, swapped, strict=True)]
            pairs, pairs_variance = _mean(found)
        single = _solved_singles(ends) if self.alone else None
        return Solved(
            full=ends[-1],
            empty=ends[0],
            share=share,
            variance=variance,
            occlusion=None if single is None else single.occlusion,
            alone=None if single is None else single.alone,
            interaction=pairs,
            interaction_variance=pairs_variance,
        )


def singles(players: int) -> Tensor:
    """Nobody, each player alone, each left out, everybody: (2 m + 2, m)."""
    one = torch.eye(players, dtype=torch.bool)
    none = torch.zeros((1, players), dtype=torch.bool)
    return torch.cat([none, one, ~one, ~none])


def _solved_singles(values: Tensor) -> Solved:
    """From the values of `singles`."""
    players = (len(values) - 2) // 2
    return Solved(
        full=values[-1],
        empty=values[0],
        alone=values[1 : players + 1] - values[0],
        occlusion=values[-1] - values[players + 1 : -1],
    )


def _swapped(orders: Tensor, grown: Tensor) -> Tensor:
    """For each two that follow each other, those before them and the second: (P · (m − 1), m)."""
    count, players = orders.shape
    before = grown.reshape(count, players + 1, players)[:, : players - 1].clone()
    before.scatter_(2, orders[:, 1:, None], value=True)
    return before.flatten(0, 1)


def _gains(orders: Tensor, along: Tensor) -> Tensor:
    """Mean gain of every player over a draw's orders (d, m), from the values along them (d, m + 1, T): (m, T)."""
    out = torch.zeros((orders.shape[1], along.shape[2]), dtype=torch.float64)
    out.index_add_(0, orders.flatten(), (along[:, 1:] - along[:, :-1]).flatten(0, 1))
    return out / len(orders)


def _pairs(orders: Tensor, along: Tensor, swapped: Tensor) -> Tensor:
    """Mean interaction of every pair that follow each other in a draw's orders: (m, m, T)."""
    players = orders.shape[1]
    found = along[:, 2:] - along[:, 1:-1] - swapped + along[:, :-2]
    first, second = orders[:, :-1].flatten(), orders[:, 1:].flatten()
    number = torch.minimum(first, second) * players + torch.maximum(first, second)
    total = torch.zeros((players**2, along.shape[2]), dtype=torch.float64)
    total.index_add_(0, number, found.flatten(0, 1))
    mean = total / torch.bincount(number, minlength=players**2).clamp_min(1)[:, None]
    upper = mean.reshape(players, players, -1)
    return upper + upper.transpose(0, 1)


def _mean(draws: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean of independent draws, and the variance of that mean."""
    every = torch.stack(draws)
    return every.mean(0), every.var(0, correction=1) / len(draws)
