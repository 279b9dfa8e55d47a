"""Which cases to look at by themselves: small lesions hide behind large ones in every mean."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.maps import Bools, Maps

SIZES = ("small", "medium", "large")


def lesion_sizes(maps: Maps) -> tuple[NDArray[np.float64], str]:
    """(N,) how much of each case is lesion, NaN where nothing is or the truth is not known; and the unit.

    mm² or mm³ where every case has a spacing and as many axes, voxels otherwise.
    """
    known = all(s is not None for s in maps.spacings)
    unit = f"mm{'²' if maps.evidence[0].ndim == 3 else '³'}" if known else "voxels"
    each = [float(np.prod(s)) if known and s is not None else 1.0 for s in maps.spacings]
    return np.where(maps.has_lesion, maps.truth_voxels * np.array(each), np.nan), unit


def size_strata(maps: Maps, edges: Sequence[float] | None = None) -> dict[str, Bools]:
    """Cases by the size of all their lesion together.

    Args:
        edges: rising bounds, in the unit of `lesion_sizes`; thirds of the cases with a lesion where not given.

    Returns:
        by name (bounds included, such as "small: < 120 mm²"), (N,) which cases; cases without a lesion are in none.

    Raises:
        InputError: no case has a lesion, or bounds that do not rise.
    """
    sizes, unit = lesion_sizes(maps)
    if np.isnan(sizes).all():
        raise InputError("masks: found no lesion in any, expected some to sort by size")
    if edges is None:
        # values that occur, so that the bounds do not depend on how numbers between two are made up
        edges = sorted(set(np.nanquantile(sizes, [1 / 3, 2 / 3], method="inverted_cdf").tolist()))
    bounds = [-np.inf, *[float(e) for e in edges], np.inf]
    if any(b <= a for a, b in itertools.pairwise(bounds)):
        raise InputError(f"edges: found {list(edges)}, expected rising numbers")
    names = SIZES if len(bounds) == 4 else [str(i) for i in range(1, len(bounds))]
    found = {}
    for name, low, high in zip(names, bounds[:-1], bounds[1:], strict=True):
        found[f"{name}: {_range(low, high, unit)}"] = (sizes >= low) & (sizes < high)
    return found


def class_strata(maps: Maps, names: Sequence[str] | None = None) -> dict[str, Bools]:
    """(N,) which cases are of each class, healthy left out, by "class …"."""
    names = [str(k) for k in range(maps.classes)] if names is None else names
    return {f"class {names[k]}": maps.labels == k for k in range(maps.classes) if k != maps.healthy}


def _range(low: float, high: float, unit: str) -> str:
    if low == -np.inf:
        return f"< {high:g} {unit}" if high < np.inf else f"any {unit}"
    return f"≥ {low:g} {unit}" if high == np.inf else f"{low:g} … {high:g} {unit}"
