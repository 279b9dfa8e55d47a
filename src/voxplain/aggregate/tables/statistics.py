"""What a table tells of a region, from its sums."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.long_table import SIZES
from voxplain.aggregate.tables.estimates import jackknife

Array = NDArray[np.float64]
# in the order of a table's rows
STATISTICS = (
    "positive",
    "negative",
    "net",
    "absolute",
    "energy",
    "voxels",
    "volume_ml",
    "mean",
    "mass",
    "density_ratio",
    "log_enrichment",
)


@dataclass(frozen=True, eq=False)
class Columns:
    """Values and standard errors of one partition, (T, R) each, by statistic; NaN is what is not known."""

    values: dict[str, Array]
    errors: dict[str, Array]


def columns(
    positive: Array, negative: Array, energy: Array, voxels: Array, voxel_ml: float, net_error: Array | None
) -> Columns:
    """All statistics.

    Args:
        positive, negative: (1 + G, T, R) sums, the later without each group of draws.
        energy: the same, or (1, T, R).
        voxels: (T, R).
        voxel_ml: volume of a voxel; NaN where there is none.
        net_error: (T, R) standard error of the net sums, where it is known better than from the groups.
    """
    found = from_signed(positive, negative, voxels)
    found["energy"] = energy
    values = {name: found[name][0] for name in found}
    errors = {name: jackknife(found[name][1:]) for name in found}
    if net_error is not None:
        errors["net"] = net_error
    values |= {"voxels": voxels, "volume_ml": voxels * voxel_ml}
    errors |= dict.fromkeys(SIZES, np.full(voxels.shape, np.nan))
    return Columns({s: values[s] for s in STATISTICS}, {s: errors[s] for s in STATISTICS})


def from_signed(positive: Array, negative: Array, voxels: Array) -> dict[str, Array]:
    """What follows from the sums (..., R) above and below zero over all regions of a partition, and their voxels.

    - ``mean``: absolute sum per voxel;
    - ``mass``: a region's share of the absolute sum of the whole image;
    - ``density_ratio``: mass over the region's share of the image's voxels, 1 where the attribution is spread evenly;
    - ``log_enrichment``: log₂ of it; NaN where the mass is 0.
    """
    absolute = positive + negative
    with np.errstate(divide="ignore", invalid="ignore"):
        mass = absolute / absolute.sum(-1, keepdims=True)
        ratio = mass / (voxels / voxels.sum(-1, keepdims=True))
        enrichment = np.log2(np.where(mass > 0, ratio, np.nan))
        mean = absolute / voxels
    return {
        "positive": positive,
        "negative": negative,
        "net": positive - negative,
        "absolute": absolute,
        "mean": mean,
        "mass": mass,
        "density_ratio": ratio,
        "log_enrichment": enrichment,
    }
