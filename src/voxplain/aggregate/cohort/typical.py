"""What is typical of a target's compositions, and how far each case is from it: standardised log-ratios."""

from __future__ import annotations

import numpy as np

from voxplain.aggregate.cohort.composition import centred
from voxplain.aggregate.cohort.matrix import Numbers
from voxplain.aggregate.cohort.robust import median, scale

ROUNDS = 20
POOLED = 5  # cases that a part's own scale is outweighed by: moderated towards the parts' median (after Smyth, 2004)
CLIP = 2.5  # standard deviations beyond which a coordinate pulls the covariance no further


def standardised(logs: Numbers) -> Numbers:
    """Robust z of each case's log-ratios against the typical composition of the parts that the case has.

    The typical profile is found by turns: differences from it are centred over a case's own parts, their medians over cases
    move it. So a missing part shifts nobody's other parts. Scales of few cases are moderated: a part whose cases agree by
    chance would raise false alarms.

    Args:
        logs: (cases, parts) logarithms of shares, NaN for what is not there.

    Returns:
        (cases, parts)
    """
    profile = np.nan_to_num(median(centred(logs)))
    for _ in range(ROUNDS):
        residual = centred(logs - profile)
        step = np.nan_to_num(median(residual))
        profile = profile + step
        if np.abs(step).max(initial=0.0) < 1e-12:
            break
    residual = centred(logs - profile)
    count = (~np.isnan(residual)).sum(0)
    own = scale(residual) ** 2
    pooled = np.nanmedian(own) if (~np.isnan(own)).any() else np.nan
    moderated = np.sqrt((count * own + POOLED * pooled) / (count + POOLED))
    return np.asarray(
        np.where(moderated > 0, residual / np.where(moderated > 0, moderated, 1.0), 0.0 * residual)
    )


def correlation(z: Numbers) -> Numbers:
    """Covariance of the parts of a cohort with fewer cases than parts: wild values clipped, then shrunk to the identity.

    The shrinkage is the one of least expected square error (Ledoit & Wolf, 2004). Parts that a case lacks count as typical,
    and their variance is brought back to that of the cases that have them.

    Args:
        z: (cases, parts)

    Returns:
        (parts, parts) positive definite.
    """
    there = ~np.isnan(z)
    clipped = np.clip(np.where(there, z, 0.0), -CLIP, CLIP) / np.sqrt(np.maximum(there.mean(0), 1 / len(z)))
    clipped -= clipped.mean(0)
    n, p = clipped.shape
    found = clipped.T @ clipped / n
    level = np.trace(found) / p
    if level <= 0:
        return np.eye(p)
    identity = level * np.eye(p)
    distance = float(((found - identity) ** 2).sum())
    noise = float((((clipped**2).sum(1) ** 2).sum() / n - (found**2).sum()) / n)
    weight = min(max(noise, 0.0) / distance, 1.0) if distance > 0 else 1.0
    # What is left of unshrunk directions must not divide by nothing.
    weight = max(weight, 1e-3)
    return np.asarray((1 - weight) * found + weight * identity)


def whitening(covariance: Numbers) -> Numbers:
    """Σ^(−1/2): of all whitenings the one whose coordinates stay closest to the parts (Kessy, Lewin & Strimmer, 2018)."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T)
