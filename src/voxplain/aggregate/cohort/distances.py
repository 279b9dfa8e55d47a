"""How far compositions are apart (Aitchison distance), between targets and between cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort.composition import Compositions, centred
from voxplain.aggregate.cohort.matrix import Numbers
from voxplain.aggregate.cohort.told import Told


@dataclass(frozen=True, eq=False)
class Distances(Told):
    """Of every two names.

    Attributes:
        names: of N targets or cases.
        values: (N, N) symmetric, zeros on the diagonal; NaN where nothing is shared.
        count: (N, N) of how many cases (or targets) each is the mean.
    """

    names: tuple[str, ...]
    values: Numbers
    count: NDArray[np.int64]


def apart(one: Numbers, others: Numbers) -> Numbers:
    """Aitchison distances of a composition from others, over the parts that both have.

    With S of D parts shared, d² = Σ_S (clr − clr')² · (D − 1) / (|S| − 1), with log-ratios centred on S: the sum has |S| − 1
    degrees of freedom, and is brought to the D − 1 of whole compositions, so that a missing organ brings nobody closer.

    Args:
        one: (D,) logarithms of shares, NaN for parts that are not there.
        others: (N, D)

    Returns:
        (N,) NaN where fewer than two parts are shared.
    """
    differences = centred(others - one)
    shared = (~np.isnan(differences)).sum(-1)
    squares = np.where(np.isnan(differences), 0.0, differences**2).sum(-1)
    scale = (others.shape[-1] - 1) / np.where(shared > 1, shared - 1, np.nan)
    return np.asarray(np.sqrt(squares * scale), dtype=np.float64)


def between_targets(compositions: Compositions) -> Distances:
    """How differently two targets depend on the regions: mean distance over the cases that have both."""
    return _mean(compositions.targets, compositions.logs)


def between_cases(compositions: Compositions) -> Distances:
    """How differently the model works in two cases: mean distance over the targets that both have."""
    return _mean(compositions.cases, compositions.logs.transpose(1, 0, 2))


def _mean(names: tuple[str, ...], logs: Numbers) -> Distances:
    """Args: logs: (layers, N, parts), of which the layers are averaged."""
    total = np.zeros((len(names), len(names)))
    count = np.zeros(total.shape, dtype=np.int64)
    for layer in logs:
        for i, one in enumerate(layer):
            found = apart(one, layer[i:])
            known = ~np.isnan(found)
            total[i, i:] += np.where(known, found, 0.0)
            count[i, i:] += known
    values = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    upper = np.triu(np.ones(values.shape, dtype=bool))
    return Distances(names, np.where(upper, values, values.T), np.where(upper, count, count.T))
