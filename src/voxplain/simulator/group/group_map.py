"""What a test over subjects says at every voxel (or region)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort.multiplicity import false_discovery

Numbers = NDArray[np.float64]
FLAT = 1e-12  # of the mean square: below, all values are the same


@dataclass(frozen=True, eq=False)
class GroupMap:
    """Arrays have the maps' shape; NaN where there was no test: outside the mask, and where no subject differs from 0.

    Attributes:
        mean: over subjects (or the difference of two groups' means), in the maps' unit.
        t: Student's t.
        p: two-sided, of the permutation test.
        q: corrected as a share of false alarms (Benjamini–Hochberg).
        p_any: corrected for the chance of any false alarm at all, by the largest |t| (Westfall & Young 1993; Nichols &
            Holmes 2002, doi:10.1002/hbm.1058).
        subjects: of each group.
        exact: every permutation was tried.
        least: the smallest p that any outcome could have had.
    """

    mean: Numbers
    t: Numbers
    p: Numbers
    q: Numbers
    p_any: Numbers
    subjects: tuple[int, ...]
    exact: bool
    least: float

    def found(self, level: float = 0.05, by: str = "p_any") -> NDArray[np.bool_]:
        """Where the mean differs from 0, by ``p_any`` or ``q``."""
        values: Numbers = getattr(self, by)
        return np.asarray(np.nan_to_num(values, nan=1.0) <= level)

    @property
    def possible(self) -> bool:
        """Whether so few subjects can show anything at 5 %."""
        return self.least <= 0.05


@dataclass(frozen=True, eq=False)
class Counted:
    """How often permutations reached what was observed.

    Attributes:
        t: (V,) observed.
        p, p_any: (V,) shares of permutations, the observed one among them.
    """

    t: Numbers
    p: Numbers
    p_any: Numbers


def on_the_grid(
    mean: Numbers, found: Counted, tested: NDArray[np.bool_], where: NDArray[np.bool_], **about: Any
) -> GroupMap:
    """Rows of tested voxels, put back.

    Args:
        mean: (V,) of the voxels in the mask.
        found: of those among them that could be tested.
        tested: (V,) which these are.
        where: the mask, of the maps' shape.
    """

    def full(values: Numbers, inside: NDArray[np.bool_]) -> Numbers:
        row = np.full(len(tested), np.nan)
        row[inside] = values
        out = np.full(where.shape, np.nan)
        out[where] = row
        return out

    every = np.ones(len(tested), dtype=np.bool_)
    return GroupMap(
        full(mean, every),
        full(found.t, tested),
        full(found.p, tested),
        full(false_discovery(found.p), tested),
        full(found.p_any, tested),
        **about,
    )
