"""How alike group maps of several trainings are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from voxplain.errors import InputError
from voxplain.simulator.group.checking import inside, stacked


@dataclass(frozen=True)
class Agreement:
    """Correlations of every two trainings' maps.

    Attributes:
        pairs: Pearson's r of each two, in the order of `itertools.combinations`.
    """

    pairs: tuple[float, ...]

    @property
    def least(self) -> float:
        """Of the two that agree least."""
        return min(self.pairs)

    @property
    def median(self) -> float:
        """Of all pairs."""
        return float(np.median(self.pairs))


def agreement(maps: Sequence[ArrayLike], mask: ArrayLike | None = None) -> Agreement:
    """Of one (group) map per training, inside the mask.

    Raises:
        InputError: fewer than two maps, or one that is constant, which correlates with nothing.

    >>> round(agreement([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [3.0, 2.0, 1.0]]).least, 6)
    -1.0
    """
    values = stacked(maps)
    rows = values[:, inside(mask, values.shape[1:])]
    centred = rows - rows.mean(1, keepdims=True)
    sizes = np.sqrt((centred**2).sum(1))
    flat = np.flatnonzero(sizes <= 1e-12 * np.sqrt((rows**2).sum(1)))
    if len(flat):
        raise InputError(f"maps[{flat[0]}]: the same everywhere in the mask, expected a map that varies")
    unit = centred / sizes[:, None]
    pairs = combinations(range(len(rows)), 2)
    return Agreement(tuple(float(np.clip(unit[a] @ unit[b], -1, 1)) for a, b in pairs))
