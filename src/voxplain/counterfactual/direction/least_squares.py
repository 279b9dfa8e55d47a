"""Ridge regression with the penalty that tells most of what is left out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Doubles = NDArray[np.float64]
PENALTIES = np.logspace(-4, 4, 17)  # as shares of the number of queries


def ridge_fit(u: Doubles, y: Doubles, weights: Doubles | None = None) -> tuple[Doubles, float, float]:
    """Of whitened codes (N, R) and scores (N,): coefficients (R,), R² of queries left out, and the best penalty."""
    w = np.ones(len(y)) if weights is None else weights / weights.mean()
    rows = np.sqrt(w)[:, None]
    centre_u, centre_y = w @ u / w.sum(), w @ y / w.sum()
    left, spread, right = np.linalg.svd(rows * (u - centre_u), full_matrices=False)
    target = rows[:, 0] * (y - centre_y)
    shared = left.T @ target
    total = float(target @ target)
    best: tuple[float, float, Doubles] = (np.inf, 0.0, np.zeros(u.shape[1]))
    for share in PENALTIES:
        penalty = share * len(y)
        shrunk = spread**2 / (spread**2 + penalty)
        fitted = left @ (shrunk * shared)
        # what the mean takes of each query's own weight stands beside the hat matrix (Golub, Heath & Wahba, 1979)
        own = (left**2) @ shrunk + w / w.sum()
        missed = (target - fitted) / np.maximum(1 - own, 1e-9)
        error = float(missed @ missed)
        if error < best[0]:
            best = (error, float(penalty), right.T @ (spread / (spread**2 + penalty) * shared))
    # the mean of the others misses by n / (n − 1) more than the mean of all
    alone = float(((target / np.maximum(1 - w / w.sum(), 1e-9)) ** 2).sum())
    return best[2], 1 - best[0] / alone if total else 0.0, best[1]


def arrays(values: Tensor) -> Doubles:
    """A tensor as doubles in NumPy."""
    return values.detach().cpu().double().numpy()
