"""Whether a method's sums over regions go with what the regions are measured to do.

Faithfulness of voxel maps under random single-voxel deletions says nothing of sums over regions: a region's value that is
painted undivided on its voxels counts once per voxel, and exact answers score about nought. Here regions are compared with
regions: a method's number with what the score loses when the region is taken away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from voxplain.errors import InputError

Array = NDArray[np.float64]
# Fewer pairs leave no degree of freedom once volume is accounted for.
FEWEST = 4
STATISTICS = ("pearson", "spearman")


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """Correlation over regions, per target; all (T,), NaN where ``status`` is not ``ok``.

    Attributes:
        pearson, spearman: of the method's values with the measured effects.
        pearson_p, spearman_p: share of permutations of the regions with at least this correlation (one-sided).
        pearson_null, spearman_null: the correlation that 95 % of the permutations stay below.
        volume_pearson, volume_spearman: of the regions' log volume with the effects' sizes: what a method would get that
            only knows how large regions are.
        pearson_beyond_volume, spearman_beyond_volume: partial correlation of values and effects given log volume; NaN where
            volume alone settles either.
        regions: number of regions compared.
        status: ``ok``, ``few`` (fewer than four regions), ``flat`` (values or effects do not differ) or ``absent``.
    """

    pearson: Array
    spearman: Array
    pearson_p: Array
    spearman_p: Array
    pearson_null: Array
    spearman_null: Array
    volume_pearson: Array
    volume_spearman: Array
    pearson_beyond_volume: Array
    spearman_beyond_volume: Array
    regions: NDArray[np.int64]
    status: tuple[str, ...]


def region_faithfulness(
    values: ArrayLike,
    effects: ArrayLike,
    volumes: ArrayLike,
    *,
    signed: bool = True,
    permutations: int = 999,
    seed: int = 0,
) -> Faithfulness:
    """Correlation of a method's numbers of regions with measured effects, beside chance and beside volume.

    Args:
        values: (T, R) a method's net or absolute sums over regions, or any other number per region.
        effects: (T, R) what taking the region away does: `RegionGame.occlusion`, or ``shapley`` as a second truth.
        volumes: (R,) voxels or ml of each region.
        signed: compare with the effects as they are; without, with their sizes, as absolute sums ask for.
        permutations: of the regions, for chance.
        seed: of the permutations.

    Returns:
        a `Faithfulness`. Regions where a value or an effect is NaN, or without volume, are left out.

    Raises:
        InputError: shapes that do not fit, negative volumes, or no permutations.
    """
    x, y, volume = np.asarray(values, float), np.asarray(effects, float), np.asarray(volumes, float)
    _check(x, y, volume, permutations)
    if not signed:
        y = np.abs(y)
    found = [_of_target(a, b, volume, permutations, seed) for a, b in zip(x, y, strict=True)]
    names = [
        name for s in STATISTICS for name in (s, f"{s}_p", f"{s}_null", f"volume_{s}", f"{s}_beyond_volume")
    ]
    columns = {name: np.array([numbers.get(name, np.nan) for numbers, _, _ in found]) for name in names}
    return Faithfulness(
        **columns,
        regions=np.array([count for _, count, _ in found], dtype=np.int64),
        status=tuple(status for _, _, status in found),
    )


def _check(x: Array, y: Array, volume: Array, permutations: int) -> None:
    if x.ndim != 2 or x.shape != y.shape or volume.shape != x.shape[1:]:
        raise InputError(
            f"faithfulness: found values {x.shape}, effects {y.shape} and volumes {volume.shape}, expected (T, R), (T, R) "
            "and (R,)"
        )
    if (volume < 0).any():
        raise InputError(f"faithfulness: found a volume of {volume.min():g}, expected none below 0")
    if permutations < 1:
        raise InputError(f"faithfulness: found permutations={permutations}, expected at least 1")


def _of_target(
    x: Array, y: Array, volume: Array, permutations: int, seed: int
) -> tuple[dict[str, float], int, str]:
    """The numbers of one target, how many regions they come from, and the status."""
    there = np.isfinite(x) & np.isfinite(y) & (volume > 0)
    count = int(there.sum())
    if not count:
        return {}, 0, "absent"
    if count < FEWEST:
        return {}, count, "few"
    x, y, size = x[there], y[there], np.log(volume[there])
    if _is_flat(x) or _is_flat(y):
        return {}, count, "flat"
    rng = np.random.default_rng(seed)
    orders = rng.permuted(np.tile(np.arange(count), (permutations, 1)), axis=1)
    numbers: dict[str, float] = {}
    for name in STATISTICS:
        a, b, c, d = (v if name == "pearson" else scipy.stats.rankdata(v) for v in (x, y, size, np.abs(y)))
        numbers |= {
            name: _correlation(a, b),
            f"volume_{name}": _correlation(c, d),
            f"{name}_beyond_volume": _partial(a, b, c),
            **_chance(name, a, b, orders),
        }
    return numbers, count, "ok"


def _chance(name: str, a: Array, b: Array, orders: NDArray[np.int64]) -> dict[str, float]:
    """How often permuted regions correlate at least as much, and what 95 % of them stay below."""
    null = _standard(a)[orders] @ _standard(b)
    # equal correlations may differ in their last digit
    least = _correlation(a, b) - 1e-12
    return {
        f"{name}_p": float((1 + (null >= least).sum()) / (1 + len(null))),
        f"{name}_null": float(np.quantile(null, 0.95)),
    }


def _standard(values: Array) -> Array:
    """Centred, of unit length; NaN where they do not differ."""
    centred = values - values.mean()
    length = np.sqrt((centred**2).sum())
    return centred / length if length > 0 else np.full_like(values, np.nan)


def _is_flat(values: Array) -> bool:
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def _correlation(a: Array, b: Array) -> float:
    if _is_flat(a) or _is_flat(b):
        return float("nan")
    return float(_standard(a) @ _standard(b))


def _partial(a: Array, b: Array, given: Array) -> float:
    """Correlation of what is left of two when a third is accounted for linearly."""
    if _is_flat(given):
        return _correlation(a, b)
    third = _standard(given)
    left = [_standard(v) - (_standard(v) @ third) * third for v in (a, b)]
    # of unit vectors, nothing but rounding is left
    if min(float(np.sqrt((v**2).sum())) for v in left) < 1e-9:
        return float("nan")
    return _correlation(*left)
