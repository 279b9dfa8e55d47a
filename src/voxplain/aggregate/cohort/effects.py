"""Which measured effects are of one sign over cases: only these are worth a colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxplain.aggregate.cohort.matrix import Mask, Matrix, Numbers
from voxplain.aggregate.cohort.multiplicity import false_discovery
from voxplain.aggregate.cohort.signed_ranks import above_zero
from voxplain.aggregate.cohort.told import Told


@dataclass(frozen=True, eq=False)
class Signed(Told):
    """Effects against no effect; arrays are (targets, regions).

    Attributes:
        mask: entries at the level.
        p: two-sided, by exact signed ranks over cases; NaN where no case has the entry.
        q: p, corrected over the table (Benjamini–Hochberg).
        least: the smallest p that the number of cases allows.
    """

    targets: tuple[str, ...]
    regions: tuple[str, ...]
    mask: Mask
    p: Numbers
    q: Numbers
    level: float
    least: float

    @property
    def possible(self) -> bool:
        """Whether any entry could be called."""
        return self.least <= self.level


def signed(effects: Matrix, *, level: float = 0.05) -> Signed:
    """Test every entry against no effect.

    Args:
        effects: what taking regions away does, signed, or its share of all effects.
    """
    flat = np.round(effects.values, 12).reshape(len(effects.cases), -1)
    (up, n), (down, _) = above_zero(flat), above_zero(-flat)
    p = np.minimum(2 * np.minimum(up, down), 1.0).reshape(effects.values.shape[1:])
    q = false_discovery(p)
    least = 2 * 0.5 ** int(n.max(initial=0))
    return Signed(effects.targets, effects.regions, np.asarray(q <= level), p, q, level, least)
