"""Whether tables go with measured effects beyond chance, sizes and untrained networks, and which method does best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voxplain.aggregate.cohort.matrix import Numbers
from voxplain.aggregate.cohort.moderated import above_zero_by_networks
from voxplain.aggregate.cohort.networks import LEAST, WEIGHTS
from voxplain.aggregate.cohort.signed_ranks import above_zero

CHANCE, SIZES = "chance", "sizes alone"
FEWEST = 5  # cases; four that are all above have p = 1/16


@dataclass(frozen=True)
class Trial:
    """One method against everything that would agree with the effects without knowing the network.

    Attributes:
        p: one-sided, by null; NaN where too few cases or networks can tell.
        cases: that were compared.
    """

    p: dict[str, float]
    cases: int

    @property
    def worst(self) -> float:
        """All must be beaten, so the largest p counts (Berger, 1982); NaN where one of them cannot judge."""
        return float(np.max(list(self.p.values())))

    @property
    def hardest(self) -> str:
        """The null that is beaten least, or that cannot judge."""
        return max(self.p, key=lambda k: (np.isnan(self.p[k]), self.p[k]))


def trial(agreement: Numbers, chance: Numbers, sizes: Numbers, redrawn: Sequence[Numbers] = ()) -> Trial:
    """Test a method's agreement with measured effects; each case counts once, as the mean over its targets.

    Args:
        agreement: (cases, targets) correlations over regions, NaN where there is none.
        chance: what 95 % of shufflings of the regions stay below.
        sizes: what the regions' sizes alone get.
        redrawn: correlations of the method on networks with redrawn weights; none: not judged by them.
    """
    p = {name: _cases_above(agreement - null) for name, null in ((CHANCE, chance), (SIZES, sizes))}
    if redrawn:
        # one untrained network may agree better than another in all cases: the replicates are networks
        differences = np.concatenate([_over_targets(agreement - other) for other in redrawn])
        found, n = above_zero_by_networks(differences[:, None])
        p[WEIGHTS] = float(found[0]) if n[0] >= LEAST else float("nan")
    return Trial(p, int((~np.isnan(_over_targets(agreement))).sum()))


def difference(first: Numbers, second: Numbers) -> tuple[float, float, int]:
    """Mean difference of two methods' agreement over cases, its two-sided p by exact signed ranks, and cases.

    Args:
        first, second: (cases, targets) of the same cases and targets.
    """
    steps = _over_targets(first - second)
    known = steps[~np.isnan(steps)]
    if not len(known):
        return float("nan"), float("nan"), 0
    both = [float(above_zero(s[:, None])[0][0]) for s in (known, -known)]
    return float(known.mean()), min(1.0, 2 * min(both)), len(known)


def _cases_above(steps: Numbers) -> float:
    each = np.round(_over_targets(steps), 12)
    if int((~np.isnan(each)).sum()) < FEWEST:
        return float("nan")
    return float(above_zero(each[:, None])[0][0])


def _over_targets(values: Numbers) -> Numbers:
    """(cases,) means of what is known."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(1) / known.sum(1))
