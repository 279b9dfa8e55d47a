"""Whether few replicates of very many entries tend to be above zero: t-tests that share what they know of the spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from voxplain.aggregate.cohort.matrix import Numbers

FEWEST = 3  # entries from which their variances tell how variances vary
LARGEST = 1e6  # degrees of freedom that are as good as infinite


@dataclass(frozen=True)
class Prior:
    """What all entries say of the variance of one: scaled inverse χ².

    Attributes:
        variance: typical one.
        df: how many degrees of freedom that is worth; 0 where nothing is known, infinite where all are alike.
    """

    variance: float
    df: float


def above_zero_by_networks(differences: Numbers) -> tuple[Numbers, NDArray[np.int64]]:
    """One-sided p that one network's entry is of the kind of R others', from its differences to each of them.

    Under the null the network is one draw more. Then the mean difference has the variance σ² (1 + 1/R), and σ² is seen
    between the R differences: a prediction test. With few networks σ² is hardly known of one entry, but of all of them:
    the variance is moderated as by Smyth (2004, *Statistical Applications in Genetics and Molecular Biology* 3).

    Args:
        differences: (R, E), NaN where a network or an entry has none.

    Returns:
        p, n: (E,); p is NaN with fewer than two networks, or where nothing varies; n are the networks of each.
    """
    known = ~np.isnan(differences)
    n = known.sum(0)
    df = np.maximum(n - 1, 0).astype(np.float64)
    filled = np.where(known, differences, 0.0)
    mean = filled.sum(0) / np.maximum(n, 1)
    variance = (np.where(known, differences - mean, 0.0) ** 2).sum(0) / np.maximum(df, 1)
    prior = prior_of(variance[df > 0], df[df > 0])
    if np.isinf(prior.df):
        spread, total = np.full_like(mean, prior.variance), np.full_like(mean, LARGEST)
    else:
        total = df + prior.df
        spread = (df * variance + prior.df * prior.variance) / np.maximum(total, 1e-300)
    scale = np.sqrt(spread * (1 + 1 / np.maximum(n, 1)))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(mean == 0, 0.0, mean / scale)
        p = scipy.stats.t.sf(t, np.maximum(total, 1e-300))
    # differences that are all the same, and no other entry to say how they vary: nothing is known of chance
    unknown = (spread == 0) & (mean != 0)
    return np.where((df > 0) & ~unknown, p, np.nan), n


def prior_of(variances: Numbers, df: Numbers) -> Prior:
    """The scaled inverse χ² that variances were drawn around, by the moments of their logarithms (Smyth 2004, section 6.2).

    Args:
        variances: (E,), each with
        df: (E,) degrees of freedom, above 0.
    """
    varied = variances > 0
    if varied.sum() < FEWEST:
        return Prior(float(variances.mean()) if len(variances) else 0.0, 0.0)
    v, d = variances[varied], df[varied]
    # e = log s² less its expected value; its variance beyond trigamma(d/2) is what the prior adds
    e = np.log(v) - scipy.special.digamma(d / 2) + np.log(d / 2)
    middle = float(e.mean())
    beyond = float(((e - middle) ** 2).sum() / (len(e) - 1) - scipy.special.polygamma(1, d / 2).mean())
    if beyond <= 0:
        return Prior(float(np.exp(middle)), np.inf)
    worth = 2 * inverse_trigamma(beyond)
    return Prior(float(np.exp(middle + scipy.special.digamma(worth / 2) - np.log(worth / 2))), worth)


def inverse_trigamma(value: float) -> float:
    """X with trigamma(x) = value, by Newton's steps on 1 / trigamma, which is nearly a line (Smyth 2004, appendix).

    >>> round(inverse_trigamma(np.pi**2 / 6), 9)  # trigamma(1) = π² / 6
    1.0
    """
    x = 0.5 + 1 / value
    for _ in range(50):
        here = float(scipy.special.polygamma(1, x))
        step = here * (1 - here / value) / float(scipy.special.polygamma(2, x))
        x += step
        if abs(step) < 1e-10 * x:
            break
    return x
