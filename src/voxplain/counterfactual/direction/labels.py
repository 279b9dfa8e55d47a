"""The published direction: logistic regression on the labels that the model predicts."""

from __future__ import annotations

import torch

from voxplain.counterfactual.direction.direction import Direction, direction
from voxplain.counterfactual.direction.queries import Queries
from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.errors import InputError


def label_direction(
    queries: Queries,
    statistics: LatentStatistics,
    *,
    whitened: bool = False,
    penalty: float = 1.0,
    boundary: float = 0.0,
) -> Direction:
    """The normal of the plane between codes that the model calls one and the other (Schutte et al., arXiv:2101.07563).

    It uses of each query one bit, and, as published, is a filter and not a pattern: see `ridge_direction`.

    Args:
        queries: codes and scores.
        statistics: of the codes.
        whitened: fit on whitened codes, which the publication does not.
        penalty: inverse of scikit-learn's C.
        boundary: the score from which on a query is called one.

    Raises:
        InputError: all queries lie on one side.
    """
    from sklearn.linear_model import LogisticRegression

    labels = (queries.scores > boundary).cpu().numpy()
    if labels.all() or not labels.any():
        raise InputError(
            f"direction 'labels': all {len(labels)} queries lie on one side of {boundary:g}, expected some on both"
        )
    codes = statistics.whiten(queries.codes) if whitened else queries.codes
    fitted = LogisticRegression(C=1 / penalty, max_iter=2000).fit(
        codes.detach().cpu().double().numpy(), labels
    )
    beta = torch.from_numpy(fitted.coef_[0]).to(queries.codes)
    step = statistics.factor @ beta if whitened else beta
    name = "labels, whitened" if whitened else "labels"
    return direction(name, step, statistics, queries=float(len(labels)), positive=float(labels.mean()))
