"""Shapley values from random orders in which regions join the image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.method import Result, register
from voxplain.attribution.shapley.region_shapley import RegionShapley
from voxplain.attribution.shapley.values import Shares
from voxplain.engine import Passes, Problem
from voxplain.engine.game import Game
from voxplain.errors import InputError


@register
@dataclass(frozen=True)
class ShapleySampling(RegionShapley):
    """φ_i = mean over random orders of F(with those before i and i) − F(with those before i).

    Castro et al. 2009, "Polynomial calculation of the Shapley value based on sampling"; Štrumbelj & Kononenko 2010.
    The gains of one order sum to F(x) − F(baseline), so the map is complete whatever the number of orders.

    Args:
        permutations: orders; every one costs about as many forward passes as there are regions.
        antithetic: every second order is the one before it reversed, which lowers the error (Mitchell et al. 2022,
            "Sampling permutations for Shapley value estimation").
    """

    permutations: int = 8
    antithetic: bool = True

    name: ClassVar[str] = "shapley_sampling"
    title: ClassVar[str] = "Shapley value sampling"
    source: ClassVar[str] = (
        "Castro et al. 2009, doi:10.1016/j.cor.2008.04.004; Štrumbelj & Kononenko 2010 (JMLR 11)"
    )
    reads: ClassVar[str] = "this region's share of the score's difference from the baseline"
    trust_where: ClassVar[Mapping[str, str]] = {"agreement": "from two draws on"}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.permutations < 1:
            raise InputError(f"{self.name}: found permutations={self.permutations}, expected at least 1")
        if self.antithetic and self.permutations % 2:
            raise InputError(
                f"{self.name}: found permutations={self.permutations}, expected an even number, since every second "
                "order is the reverse of the one before it (or antithetic=False)"
            )

    def compute(self, problem: Problem) -> Result:
        """As all region methods; says where a single draw leaves nothing to compare."""
        found = super().compute(problem)
        if self.permutations < 2 * self._per_draw:
            for t in problem.present:
                found.notes[t] += (
                    "; a single draw does not tell how far off the values are: "
                    f"{2 * self._per_draw} permutations are enough to tell"
                )
        return found

    @property
    def _per_draw(self) -> int:
        """Orders of a draw: an order and its reverse are one."""
        return 2 if self.antithetic else 1

    def shares(self, problem: Problem, game: Game) -> Shares:
        orders = self._orders(problem, game)
        values = game.values(prefixes(orders, game.players))
        count = len(values) // len(orders)
        by_order = values.reshape(len(orders), count, -1)
        gains = torch.full((len(orders), len(problem.targets), game.players), torch.nan, dtype=torch.float64)
        gains[:, problem.present] = 0.0
        for order, one, own in zip(orders, by_order, gains, strict=True):
            own[:, order] = (one[1:] - one[:-1]).T
        halves = None
        if len(orders) >= 2 * self._per_draw:
            odd = torch.arange(len(orders)) // self._per_draw % 2 == 1
            halves = gains[~odd].mean(0), gains[odd].mean(0)
        return Shares(gains.mean(0), by_order[0, -1], by_order[0, 0], halves)

    def game_cost(self, problem: Problem, game: Game) -> Passes:
        return game.cost(prefixes(self._orders(problem, game), game.players))

    def _orders(self, problem: Problem, game: Game) -> Tensor:
        """(permutations, m) numbers of the players that matter."""
        rng = np.random.default_rng(problem.seed)
        active = game.active(problem.present).numpy()
        orders: list[np.ndarray] = []
        for k in range(self.permutations):
            reverse = self.antithetic and k % 2 == 1
            orders.append(orders[-1][::-1] if reverse else rng.permutation(active))
        return torch.from_numpy(np.stack(orders))

    def _more(self) -> str:
        return "use more permutations or fewer regions"


def prefixes(orders: Tensor, players: int) -> Tensor:
    """The coalitions that grow along orders (P, m), from nobody to all: (P · (m + 1), R) bool.

    >>> prefixes(torch.tensor([[2, 0]]), 3).int().tolist()
    [[0, 0, 0], [0, 0, 1], [1, 0, 1]]
    """
    length = orders.shape[1]
    grown = torch.zeros((len(orders), length + 1, players), dtype=torch.bool)
    for step in range(length):
        grown[:, step + 1] = grown[:, step]
        grown[torch.arange(len(orders)), step + 1, orders[:, step]] = True
    return grown.flatten(0, 1)
