"""Many tests at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from voxplain.aggregate.cohort.matrix import Numbers


def false_discovery(p: ArrayLike) -> Numbers:
    """Benjamini–Hochberg adjusted p (1995): what share of false alarms one accepts by calling this entry.

    NaN stand for tests that were not made, and do not count.

    Args:
        p: of any shape.

    >>> false_discovery([0.01, 0.04, 0.03, np.nan])
    array([0.03, 0.04, 0.04,  nan])
    """
    given = np.asarray(p, dtype=np.float64)
    flat = given.ravel()
    out = np.full_like(flat, np.nan)
    made = np.flatnonzero(~np.isnan(flat))
    order = made[np.argsort(flat[made], kind="stable")]
    scaled = flat[order] * len(order) / np.arange(1, len(order) + 1)
    out[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return out.reshape(given.shape)
