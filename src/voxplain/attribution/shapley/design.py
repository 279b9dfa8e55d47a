"""Which coalitions Kernel SHAP asks about, and the Shapley values that their scores determine."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.shapley.values import all_coalitions, exact_shapley

ENUMERATED, EVEN, ODD = 0, 1, 2


@dataclass(frozen=True)
class Design:
    """Coalitions of m players with their weights.

    Attributes:
        coalitions: (n, m) bool; the first is empty, the last full.
        weights: (n,) of the regression, 0 for the empty and the full one, which are met exactly.
        source: (n,) whether a coalition was `ENUMERATED`, or drawn into the `EVEN` or the `ODD` half.
    """

    coalitions: Tensor
    weights: Tensor
    source: Tensor

    @property
    def is_exact(self) -> bool:
        """Whether all coalitions are there."""
        return len(self.coalitions) == 1 << self.coalitions.shape[1]

    @property
    def has_halves(self) -> bool:
        """Whether something was drawn into each half, enough to determine the values without the singles.

        Every player alone or left out is in both halves. Where these settle most of the values, the halves agree
        better with each other than with the truth.
        """
        size, players = self.coalitions.sum(1), self.coalitions.shape[1]
        inner = (size > 1) & (size < players - 1)
        drawn = [self.source == half for half in (EVEN, ODD)]
        told = [int((inner & (own | (self.source == ENUMERATED))).sum()) for own in drawn]
        return all(bool(own.any()) for own in drawn) and min(told) >= 2 * (players - 1)

    def solve(self, values: Tensor, half: int | None = None) -> Tensor:
        """Shapley values (m, T) from the coalitions' values (n, T); from one half of the draws where asked.

        Least squares ``Σ_S w_S (v(S) − v(∅) − Σ_{i ∈ S} φ_i)²`` among all φ with ``Σ φ = v(N) − v(∅)``. The
        constraint is met exactly: the last player's value is what the others leave.
        """
        if self.is_exact:
            return exact_shapley(values)
        weights = self.weights
        if half is not None:
            weights = weights * ((self.source == ENUMERATED) + 2.0 * (self.source == half))
        used = weights > 0
        members = self.coalitions[used].double()
        whole = values[-1] - values[0]
        gains = values[used] - values[0] - members[:, -1:] * whole
        columns = members[:, :-1] - members[:, -1:]
        weighted = columns * weights[used][:, None]
        others = torch.linalg.solve(weighted.T @ columns, weighted.T @ gains)
        return torch.cat([others, (whole - others.sum(0))[None]])


def least_samples(players: int) -> int:
    """Coalitions that determine the values: all there are; or nobody, all, every player alone and left out, and a
    drawn pair in each half.
    """
    return min(1 << players, 2 * players + 6)


def telling_samples(players: int) -> int:
    """Coalitions from which on there are halves to compare (see `Design.has_halves`), or all where these are fewer.

    >>> telling_samples(27)
    160
    """
    return min(1 << players, 2 + 2 * players + 4 * (players - 1))


def design(players: int, samples: int, rng: np.random.Generator) -> Design:
    """All coalitions where they are no more than ``samples``; else the weightiest, and pairs drawn from the rest.

    The Shapley kernel gives all coalitions of size s together the mass ``1 / (s (m − s))``. Sizes are taken in whole,
    from 1 and m − 1 inwards, while they would be drawn completely anyway. Of the other sizes as many as their mass
    asks for are drawn without repetition, every coalition together with its complement.

    Source: Lundberg & Lee 2017, "A unified approach to interpreting model predictions", theorem 2; pairs: Covert &
    Lee 2021, "Improving KernelSHAP", arXiv:2012.01536.
    """
    if 2**players <= samples:
        every = all_coalitions(players)
        zeros = torch.zeros(len(every))
        return Design(every, zeros.double(), zeros.to(torch.int8))
    chosen: list[np.ndarray] = []
    weights: list[float] = []
    source: list[int] = []
    left = (samples - 2) // 2
    sizes = list(range(1, players // 2 + 1))
    while sizes:
        size = sizes[0]
        share = _mass(players, size) / sum(_mass(players, s) for s in sizes)
        if left < _pairs(players, size) or (size > 1 and share * left < _pairs(players, size) - 1e-9):
            break
        sizes.pop(0)
        left -= _pairs(players, size)
        for row in _subsets(players, size, _pairs(players, size), rng):
            chosen += [row, ~row]
            weights += [_mass(players, size) / _pairs(players, size) / 2] * 2
            source += [ENUMERATED] * 2
    rest = sum(_mass(players, s) for s in sizes)
    drawn = 0
    for size, count in zip(sizes, _counts(players, sizes, left, rng), strict=True):
        for row in _subsets(players, size, count, rng):
            chosen += [row, ~row]
            weights += [rest / left / 2] * 2
            source += [EVEN if drawn % 2 == 0 else ODD] * 2
            drawn += 1
    rows = [np.zeros(players, dtype=bool), *chosen, np.ones(players, dtype=bool)]
    return Design(
        torch.from_numpy(np.stack(rows)),
        torch.tensor([0.0, *weights, 0.0], dtype=torch.float64),
        torch.tensor([ENUMERATED, *source, ENUMERATED], dtype=torch.int8),
    )


def _mass(players: int, size: int) -> float:
    """Of all pairs (S, complement) of sizes s and m − s together."""
    return (1.0 if 2 * size == players else 2.0) / (size * (players - size))


def _pairs(players: int, size: int) -> int:
    """Number of these pairs."""
    return comb(players, size) // (2 if 2 * size == players else 1)


def _counts(players: int, sizes: list[int], total: int, rng: np.random.Generator) -> list[int]:
    """Systematic sampling: each size gets its expected number of pairs, rounded up or down at random."""
    if not sizes or not total:
        return [0] * len(sizes)
    edges = np.cumsum([0.0, *(_mass(players, s) for s in sizes)])
    places = (np.arange(total) + rng.random()) / total * edges[-1]
    found = np.searchsorted(edges, places, side="right") - 1
    counts = np.bincount(found.clip(0, len(sizes) - 1), minlength=len(sizes))
    return [int(count) for count in counts]


def _subsets(players: int, size: int, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Different coalitions of a size, (m,) bool each; of two halves of the players only one is ever taken."""
    if size == 1 and count == players:
        return list(np.eye(players, dtype=bool))
    found: dict[bytes, np.ndarray] = {}
    while len(found) < count:
        row = np.zeros(players, dtype=bool)
        row[rng.choice(players, size, replace=False)] = True
        if 2 * size == players and not row[0]:
            row = ~row
        found.setdefault(row.tobytes(), row)
    return list(found.values())
