"""What must not change along a direction, such as age, site or brightness: taken out, and measured before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from voxplain.counterfactual.direction.direction import Direction, direction
from voxplain.counterfactual.direction.least_squares import Doubles, arrays, ridge_fit
from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.errors import InputError


@dataclass(frozen=True, eq=False)
class Confounder:
    """What must not change along a direction.

    Args:
        name: for tables.
        codes: (N, D) of images of which it is known.
        values: (N,) of these.
    """

    name: str
    codes: Tensor
    values: Tensor


def projector(statistics: LatentStatistics, confounders: Sequence[Confounder]) -> Doubles:
    """(R, R) that takes out of whitened steps what linear models find of each confounder.

    A confounder of which they find nothing (R² of 0 or less) takes nothing out.
    """
    own = np.eye(statistics.rank)
    fitted = [ridge_fit(arrays(statistics.whiten(c.codes)), arrays(c.values)) for c in confounders]
    found = [beta / np.linalg.norm(beta) for beta, r2, _ in fitted if r2 > 0 and np.any(beta)]
    if not found:
        return own
    left, spread, _ = np.linalg.svd(np.stack(found, axis=1), full_matrices=False)
    basis = left[:, spread > 1e-6 * spread[0]]  # levels of a category add up to one another
    return np.asarray(own - basis @ basis.T)


def without(found: Direction, statistics: LatentStatistics, away: Doubles) -> Direction:
    """A direction without what a `projector` takes out.

    Raises:
        InputError: nothing is left.
    """
    whitened = _whitened(found, statistics)
    step = away @ whitened
    if np.linalg.norm(step) < 1e-6 * np.linalg.norm(whitened):
        raise InputError(f"direction {found.name!r}: nothing is left of it without the confounders")
    vector = statistics.factor.double() @ torch.from_numpy(step).to(statistics.factor.device)
    return direction(found.name, vector.to(found.vector), statistics, **found.facts)


def carried(found: Direction, statistics: LatentStatistics, confounder: Confounder) -> float:
    """The correlation of a confounder with the place of images along a direction; NaN where either does not vary.

    Of images that the direction was not found from, so that what was taken out is not 0 by construction.
    """
    along = arrays(statistics.whiten(confounder.codes)) @ _whitened(found, statistics)
    values = arrays(confounder.values)
    if not np.ptp(values) > 0 or not np.ptp(along) > 0:
        return float("nan")
    return float(np.corrcoef(along, values)[0, 1])


def _whitened(found: Direction, statistics: LatentStatistics) -> Doubles:
    whitened: Doubles = arrays(statistics.whiten(found.vector[None] + statistics.mean))[0]
    return whitened
