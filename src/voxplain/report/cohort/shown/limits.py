"""From which score on a case is called an outlier."""

from __future__ import annotations

import numpy as np
import scipy

from voxplain.aggregate.cohort import Outliers
from voxplain.aggregate.cohort.robust import QN_EFFICIENCY
from voxplain.report.cohort.page import Numbers


def score_limits(outliers: Outliers, level: float) -> Numbers:
    """(targets,) the smallest score of each target that is called at this share of false alarms; NaN where none is judged.

    Benjamini and Hochberg call what has p ≤ level · k / m, with m tests of which k are called; where none is, the first
    would need level / m. A score's p is Student's t with the degrees of freedom that Qn leaves, as in `outliers`.
    """
    known = ~np.isnan(outliers.p)
    tests, called = int(known.sum()), int((outliers.q <= level).sum())
    n = known.sum(0)
    if not tests:
        return np.full(len(n), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        quantile = scipy.stats.t.isf(level * max(called, 1) / tests, QN_EFFICIENCY * (n - 1))
        limits = quantile * np.sqrt(1 + np.pi / (2 * n))
    return np.asarray(np.where(n > 0, limits, np.nan))
