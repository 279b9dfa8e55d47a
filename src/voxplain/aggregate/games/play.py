"""All games of an image: one per window where scores add up over windows, one of the whole image where they do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from voxplain.aggregate.games.allotment import Price, allotted, least_draws
from voxplain.aggregate.games.orders import reversed_pairs, square_size, squares
from voxplain.aggregate.games.sums import Sums
from voxplain.aggregate.games.table import Drawn, Everything, Grouped, Singles, Table
from voxplain.engine import Passes, Problem
from voxplain.engine.game import Game
from voxplain.errors import InputError


@dataclass(frozen=True)
class Wanted:
    """What is asked of a game.

    Attributes:
        share: Shapley values; Owen values where there are groups.
        single: occlusion, and each player alone.
        interaction: of pairs.
        groups: (R,) the group of every player.
    """

    share: bool = True
    single: bool = True
    interaction: bool = False
    groups: Tensor | None = None


class Play:
    """Every coalition that will be asked, known before anything runs.

    A score that is linear in the network's output is a sum of its windows' games, and Shapley values, Owen values,
    interactions and losses of a sum are sums: a window is asked once per coalition of the few players that it sees. Other
    scores over several windows play one game of the whole image.

    Args:
        budget: most forward passes. Where both kinds of scores are asked for, each may take half of it.
        seed: of the drawn orders.
        what: asks, for messages.

    Raises:
        InputError: the budget is too small.
    """

    def __init__(
        self, problem: Problem, game: Game, wanted: Wanted, *, budget: int, seed: int, what: str
    ) -> None:
        self.problem, self.game, self.wanted, self.what = problem, game, wanted, what
        self.near = problem.plan.linear(problem.present)
        self.far = [t for t in problem.present if t not in set(self.near)]
        if self.near and self.far:
            budget //= 2
        self.local = self._local(budget, seed)
        self.players = self._common_players()
        self.common = self._common(budget, seed) if self.far else None

    def cost(self) -> Passes:
        """Passes that `run` will take."""
        cost = Passes(forward=sum(len(table.coalitions) for table in self.local.values()))
        return cost + self._common_cost(self.common) if self.common is not None else cost

    def run(self) -> Sums:
        """Ask them all, and add up what they say."""
        sums = Sums(self.problem, self.game.players, interaction=self.wanted.interaction)
        asked = {w: table.coalitions for w, table in self.local.items()}

        def take(window: int, values: Tensor) -> None:
            touched = self._touched(window)
            solved = self.local[window].solve(values[:, touched])
            sums.add(solved, self.game.members[window], touched, exact=self.local[window].is_exact)

        self.game.window_values(asked, self.near, take)
        if self.common is not None:
            values = self._common_values(self.common)
            sums.add(self.common.solve(values), self.players, self.far, exact=self.common.is_exact)
        return sums

    def _touched(self, window: int) -> list[int]:
        """The linear targets that a window has a share in."""
        near = set(self.near)
        return [t for t in self.problem.plan.touching[window] if t in near]

    def _local(self, budget: int, seed: int) -> dict[int, Table]:
        windows = self.problem.plan.windows(self.near)
        members = {w: self.game.members[w] for w in windows}
        if not self.wanted.share:
            tables: dict[int, Table] = {w: Singles(len(own)) for w, own in members.items()}
            self._require(sum(len(t.coalitions) for t in tables.values()), budget)
            return tables
        draws = allotted({w: self._price(own) for w, own in members.items()}, budget, self.what)
        return {
            w: self._table(own, draws[w], np.random.default_rng([seed, 1 + w])) for w, own in members.items()
        }

    def _common_players(self) -> Tensor:
        """Players of the whole image's game, those first whose coming and going changes few windows."""
        active = self.game.active(self.far)
        seen = [self.game.members[w] for w in self.problem.plan.windows(self.far)]
        touched = torch.bincount(torch.cat(seen), minlength=self.game.players) if seen else active
        return active[torch.argsort(touched[active], stable=True)] if len(active) else active

    def _common(self, budget: int, seed: int) -> Table:
        """The table of the whole image's game: exact where that can be paid for, else as many draws as can."""
        players = self.players
        if not self.wanted.share:
            table = Singles(len(players))
            self._require(self._common_cost(table).forward, budget)
            return table
        price = self._price(players)
        # no coalition is cheaper than a pass of one window
        if price.everything <= budget or not price.is_drawable:
            every = self._table(players, 0, np.random.default_rng(seed))
            cost = self._common_cost(every).forward
            if cost <= budget or not price.is_drawable:
                self._require(cost, budget)
                return every
        return self._most_draws(players, price.fewest, budget, seed)

    def _most_draws(self, players: Tensor, fewest: int, budget: int, seed: int) -> Table:
        """The most draws that the budget has room for, by doubling and halving: what windows share costs nothing."""

        def drawn(draws: int) -> Table:
            return self._table(players, draws, np.random.default_rng([seed, 0]))

        low = fewest
        self._require(self._common_cost(drawn(low)).forward, budget)
        high = 2 * low
        while self._common_cost(drawn(high)).forward <= budget:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            if self._common_cost(drawn(middle)).forward <= budget:
                low = middle
            else:
                high = middle
        return drawn(low)

    def _common_rows(self, table: Table) -> Tensor:
        """A table's coalitions as ones of all players, in the order in which they are visited: (u, R)."""
        rows = torch.zeros((len(table.coalitions), self.game.players), dtype=torch.bool)
        rows[:, self.players] = table.coalitions[table.visit]
        return rows

    def _common_cost(self, table: Table) -> Passes:
        return self.game.cost(self._common_rows(table), self.far)

    def _common_values(self, table: Table) -> Tensor:
        """(u, F) values of a table's coalitions, in its own order."""
        found = self.game.values(self._common_rows(table), self.far)[:, self.far]
        values = torch.empty_like(found)
        values[table.visit] = found
        return values

    def _groups(self, players: Tensor) -> Tensor:
        """The group of each of these players, from 0 on without gaps."""
        if self.wanted.groups is None:
            return torch.arange(len(players))
        numbers: Tensor = torch.unique(self.wanted.groups[players], return_inverse=True)[1]
        return numbers

    def _price(self, players: Tensor) -> Price:
        count = len(players)
        if self.wanted.groups is not None:
            sizes = torch.bincount(self._groups(players)).tolist() if count else []
            return Price(Grouped.length(sizes), 2, 2 * max(count - 1, 0), least_draws(len(sizes)))
        # along an order, all but nobody, everybody, and one alone or left out is new
        inner = max(count - 3, 0)
        orders, rows = (square_size(count), 2) if self.wanted.interaction else (2, 1)
        return Price(2**count, min(2**count, 2 * count + 2), orders * rows * inner, least_draws(count))

    def _table(self, players: Tensor, draws: int, rng: np.random.Generator) -> Table:
        """A game's table, with so many draws; with all coalitions where there is none."""
        count, wanted = len(players), self.wanted
        if wanted.groups is not None:
            groups = self._groups(players)
            if not draws:
                return Grouped(groups)
            return Drawn(reversed_pairs(draws, groups, rng), alone=False, interaction=False)
        if not draws:
            return Everything(count, interaction=wanted.interaction)
        if wanted.interaction:
            return Drawn(squares(draws, count, rng), alone=True, interaction=True)
        return Drawn(reversed_pairs(draws, torch.arange(count), rng), alone=True, interaction=False)

    def _require(self, cost: int, budget: int) -> None:
        if cost > budget:
            raise InputError(
                f"{self.what}: found a budget of {budget} forward passes, expected at least {cost}; give more, or merge "
                "regions"
            )
