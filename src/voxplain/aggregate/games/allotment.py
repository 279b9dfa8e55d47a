"""How a budget of forward passes is shared out among the games of an image's windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log

from voxplain.errors import InputError

# Fewer draws tell too little of their spread.
LEAST_DRAWS = 8
# Chance that all draws of a player say the same although others would not, so that its error is told as nought.
ALIKE = 1e-3


def least_draws(players: int) -> int:
    """Draws from which on the spread tells the error.

    An order and its reverse have a player first and last with probability 2 / m, and then always say the same. (Games of
    two players are exact in any order.)

    >>> [least_draws(m) for m in (2, 3, 4, 5, 20)]
    [8, 18, 10, 8, 8]
    """
    if players < 3:
        return LEAST_DRAWS
    return max(LEAST_DRAWS, ceil(log(ALIKE) / log(2 / players)))


@dataclass(frozen=True)
class Price:
    """Coalitions that a game takes.

    Attributes:
        everything: all of them, for exact values.
        base: at most, of what is asked in any case where orders are drawn.
        per_draw: at most, of each draw.
        fewest: draws, from which on there is an error to tell.
    """

    everything: int
    base: int
    per_draw: int
    fewest: int = LEAST_DRAWS

    @property
    def is_drawable(self) -> bool:
        """Whether drawing may cost less than enumerating."""
        return self.base + self.fewest * self.per_draw < self.everything

    @property
    def least(self) -> int:
        return self.base + self.fewest * self.per_draw if self.is_drawable else self.everything


def allotted(prices: Mapping[int, Price], budget: int, what: str) -> dict[int, int]:
    """Draws of every game, 0 where all coalitions are enumerated.

    Each game gets what it needs at least. What is left is shared out equally, to those first that need the least to be
    exact; what these do not use goes to the others. So there is one number of players up to which games are exact.

    Args:
        what: asks, named in the error.

    Raises:
        InputError: the budget is below the least.

    >>> allotted({0: Price(8, 8, 0), 1: Price(1024, 22, 14)}, 200, "game")
    {0: 0, 1: 12}
    """
    left = budget - sum(p.least for p in prices.values())
    if left < 0:
        raise InputError(
            f"{what}: found a budget of {budget} forward passes, expected at least {budget - left} for "
            f"{len(prices)} windows with up to {_largest(prices)} coalitions each; give more, or merge regions"
        )
    out: dict[int, int] = {}
    order = sorted(prices, key=lambda w: prices[w].everything - prices[w].least)
    for k, w in enumerate(order):
        price, share = prices[w], left // (len(order) - k)
        more = price.everything - price.least
        if more <= share:
            out[w], used = 0, more
        else:
            extra = share // price.per_draw
            out[w], used = price.fewest + extra, extra * price.per_draw
        left -= used
    return {w: out[w] for w in prices}


def _largest(prices: Mapping[int, Price]) -> str:
    largest = max(p.everything for p in prices.values())
    return str(largest) if largest < 10**6 else f"2^{largest.bit_length() - 1}"
