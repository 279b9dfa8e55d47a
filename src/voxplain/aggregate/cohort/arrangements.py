"""Ways in which labels could have fallen on cases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations as orders
from math import factorial, prod

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Arrangements:
    """Of labels over cases, within strata.

    Attributes:
        labels: (B, cases) all arrangements, or random ones after the observed one.
        exact: all of them.
        total: how many there are.
        least: the smallest p that any outcome could have had: arrangements that differ in the names of equally large groups
            only say the same.
    """

    labels: Labels
    exact: bool
    total: int
    least: float


def arrangements(labels: Labels, strata: Labels, most: int, *, seed: int) -> Arrangements:
    """All arrangements where they are at most ``most``, else that many random ones, the observed one counted with them.

    Args:
        labels: (cases,) group of each, 0 to K − 1.
        strata: (cases,) within which labels are exchangeable.
    """
    cells = [np.flatnonzero(strata == s) for s in np.unique(strata)]
    sizes = np.array([np.bincount(labels[c], minlength=int(labels.max()) + 1) for c in cells])
    total = prod(factorial(int(s.sum())) // prod(factorial(int(g)) for g in s) for s in sizes)
    _, alike = np.unique(sizes, axis=1, return_counts=True)
    same = prod(factorial(int(a)) for a in alike)
    if total <= most:
        return Arrangements(_all(labels, cells), True, total, same / total)
    rng = np.random.default_rng([seed, 0xAB])
    made = np.tile(labels, (most + 1, 1))
    for cell in cells:
        made[1:, cell] = rng.permuted(np.tile(labels[cell], (most, 1)), axis=1)
    return Arrangements(made, False, total, max(1 / (most + 1), same / total))


def shuffles(n: int, most: int, *, seed: int) -> tuple[Labels, bool]:
    """Orders of n things, and whether it is all of them: where at most ``most``, else random ones after the first."""
    if factorial(n) <= most:
        return np.array(list(orders(range(n))), dtype=np.intp).reshape(-1, n), True
    made = np.tile(np.arange(n), (most + 1, 1))
    made[1:] = np.random.default_rng([seed, 0x5F]).permuted(made[1:], axis=1)
    return made, False


def _all(labels: Labels, cells: list[Labels]) -> Labels:
    made = labels[None].copy()
    for cell in cells:
        counts = np.bincount(labels[cell]).tolist()
        ways = np.array(list(_words(counts, len(cell))), dtype=np.intp)
        made = np.repeat(made, len(ways), axis=0)
        made[:, cell] = np.tile(ways, (len(made) // len(ways), 1))
    return made


def _words(counts: list[int], length: int) -> Iterator[list[int]]:
    """Distinct words with so many of each letter."""
    letter = max(k for k, c in enumerate(counts) if c)
    rest = [*counts[:letter], 0]
    for at in combinations(range(length), counts[letter]):
        if counts[letter] == length:
            yield [letter] * length
            continue
        for word in _words(rest, length - len(at)):
            letters = iter(word)
            yield [letter if i in at else next(letters) for i in range(length)]
