"""Ridge regression of the model's scores on whitened codes: the plausible change that moves the score most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from voxplain.counterfactual.direction.confounders import Confounder, projector
from voxplain.counterfactual.direction.direction import Direction, direction
from voxplain.counterfactual.direction.least_squares import Doubles, arrays, ridge_fit
from voxplain.counterfactual.direction.nearness import effective, nearness, width_for
from voxplain.counterfactual.direction.queries import Queries
from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.errors import InputError

LEAST_R2 = 0.5


def ridge_direction(
    queries: Queries,
    statistics: LatentStatistics,
    *,
    confounders: Sequence[Tensor | Confounder] = (),
    least_r2: float = LEAST_R2,
    draws: int = 100,
    seed: int = 0,
) -> Direction:
    """The steepest plausible direction of a linear model of the scores.

    Of all steps of one standard deviation, that along Σβ raises a score β · w most (Σ the covariance of codes): the pattern,
    not the filter (Haufe et al., NeuroImage 2014). On whitened codes the coefficients are that direction.

    The penalty is chosen by leaving out one query after the other, which gives ``r2``, the share of the scores' variance
    that the model tells of queries it was not fitted on. ``agreement`` is the 2.5 % quantile of the cosine with directions
    of queries that are drawn again.

    Args:
        queries: codes and scores.
        statistics: of the codes.
        confounders: scores (N,) of the same queries that must not change along the direction, such as the age or the site
            that another model reads from the images: what a linear model finds of them is projected out.
        least_r2: below, there is no direction.
        draws: of the bootstrap; 0 is none.
        seed: of the draws.

    Raises:
        InputError: scores that do not vary, an r2 below the least, or a direction that is all confounder.
    """
    u, y = arrays(statistics.whiten(queries.codes)), arrays(queries.scores)
    _check_varied(y)
    beta, r2, penalty = ridge_fit(u, y)
    if r2 < least_r2:
        raise InputError(
            f"direction 'ridge': a linear model tells {r2:.2f} of the variance of the scores (R²), expected at least "
            f"{least_r2:.2f}; ask more queries, take a local direction or a better generator"
        )
    known = [c if isinstance(c, Confounder) else Confounder("", queries.codes, c) for c in confounders]
    away = projector(statistics, known)
    step = away @ beta
    if np.linalg.norm(step) < 1e-6 * np.linalg.norm(beta):
        raise InputError("direction 'ridge': nothing is left of it without the confounders")
    facts = {"r2": r2, "queries": float(len(y)), "penalty": penalty}
    if draws:
        facts["agreement"] = _agreement(u, y, penalty, away, step, draws, seed)
    vector = statistics.factor.double() @ torch.from_numpy(step).to(statistics.factor.device)
    return direction("ridge", vector.to(queries.codes.dtype), statistics, **facts)


def local_direction(
    queries: Queries,
    statistics: LatentStatistics,
    code: Tensor,
    *,
    width: float | None = None,
    least_r2: float = 0.0,
) -> Direction:
    """The ridge direction near one code (D,): queries count by their distance from it.

    Args:
        queries: best of codes near it.
        statistics: of the codes.
        code: where.
        width: Mahalanobis distance at which a query counts e^(−½) of the nearest; by default that of `width_for`.
        least_r2: below, there is no direction.

    Raises:
        InputError: as `ridge_direction`.
    """
    u, y = arrays(statistics.whiten(queries.codes)), arrays(queries.scores)
    _check_varied(y)
    away = np.linalg.norm(u - arrays(statistics.whiten(code[None])), axis=1)
    weights = nearness(away, width_for(away, u.shape[1]) if width is None else width)
    beta, r2, penalty = ridge_fit(u, y, weights)
    if r2 < least_r2:
        raise InputError(f"direction 'local': found an R² of {r2:.2f}, expected at least {least_r2:.2f}")
    vector = statistics.factor.double() @ torch.from_numpy(beta).to(statistics.factor.device)
    told = {"r2": r2, "queries": float(len(y)), "effective queries": effective(weights), "penalty": penalty}
    return direction("local", vector.to(queries.codes.dtype), statistics, **told)


def _agreement(
    u: Doubles, y: Doubles, penalty: float, away: Doubles, step: Doubles, draws: int, seed: int
) -> float:
    rng, cosines = np.random.default_rng([seed, 0xD1EC]), []
    for _ in range(draws):
        chosen = rng.integers(0, len(y), len(y))
        centred = u[chosen] - u[chosen].mean(0)
        square = centred.T @ centred + penalty * np.eye(u.shape[1])
        again = away @ np.linalg.solve(square, centred.T @ (y[chosen] - y[chosen].mean()))
        lengths = float(np.linalg.norm(again)) * float(np.linalg.norm(step))
        cosines.append(float(again @ step) / max(lengths, 1e-300))
    return float(np.quantile(cosines, 0.025))


def _check_varied(y: Doubles) -> None:
    if not np.ptp(y) > 1e-9 * max(1.0, float(np.abs(y).max())):
        raise InputError(f"scores: found {y[0]:.6g} of all {len(y)} queries, expected some that differ")
