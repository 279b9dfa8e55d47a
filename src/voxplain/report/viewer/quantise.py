"""Images and maps as small integers, and exactly how much that changes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FLOOR = 0.02
"""Share of a map's colour range below which coarse maps are zero: less than the viewer hides at first."""


@dataclass(frozen=True, eq=False)
class Quantised:
    """`value = offset + scale * stored`.

    Attributes:
        error: the largest |restored − true| of any voxel within the range that is stored.
        clipped: voxels beyond that range, which have its end.
        floor: below this |value| a voxel is stored as zero; 0 where none is.
    """

    stored: NDArray[Any]
    scale: float
    offset: float
    error: float
    clipped: int = 0
    floor: float = 0.0

    @property
    def restored(self) -> NDArray[np.float64]:
        """The values as the viewer shows them."""
        return self.offset + self.scale * self.stored.astype(np.float64)


def image(values: NDArray[Any], *, fine: bool) -> Quantised:
    """An image as it is where whole numbers fit; else in 65536 steps (fine), or 256 from its 0.1th to 99.9th percentile."""
    full = np.asarray(values, np.float64)
    low, high = float(full.min()), float(full.max())
    whole = bool((full == np.rint(full)).all())
    if whole and high - low <= 255:
        return _between(full, low, low + 255, np.uint8)
    if whole and fine and high - low <= 65535:
        return _between(full, low, low + 65535, np.uint16)
    if fine:
        return _between(full, low, high, np.uint16)
    bottom, top = (float(p) for p in np.percentile(full, [0.1, 99.9]))
    return _between(full, *((bottom, top) if top > bottom else (low, high)), np.uint8)


def _between(
    full: NDArray[np.float64], low: float, high: float, kind: type[np.uint8 | np.uint16]
) -> Quantised:
    steps = int(np.iinfo(kind).max)
    scale = (high - low) / steps or 1.0
    stored = np.clip(np.rint((full - low) / scale), 0, steps).astype(kind)
    return _judged(full, stored, scale, low, (full < low) | (full > high))


def signed(values: NDArray[Any], limit: float, *, fine: bool) -> Quantised:
    """A map in 65535 steps over its whole range (fine), or in 255 over ±limit with weak values at zero.

    Zero stays exactly zero, and no sign changes.

    Args:
        limit: where the colours end, above zero.
    """
    full = np.asarray(values, np.float64)
    if fine:
        end = max(float(np.abs(full).max()), limit)
        scale = end / np.iinfo(np.int16).max
        return _judged(full, np.rint(full / scale).astype(np.int16), scale, 0.0, np.zeros(full.shape, bool))
    scale, floor = limit / 127, FLOOR * limit
    kept = np.where(np.abs(full) < floor, 0.0, full)
    stored = np.clip(np.rint(kept / scale), -127, 127).astype(np.int8)
    return _judged(full, stored, scale, 0.0, np.abs(full) > limit, floor)


def _judged(
    full: NDArray[np.float64],
    stored: NDArray[Any],
    scale: float,
    offset: float,
    beyond: NDArray[np.bool_],
    floor: float = 0.0,
) -> Quantised:
    away = np.abs(offset + scale * stored.astype(np.float64) - full)
    error = float(away[~beyond].max(initial=0.0))
    return Quantised(stored, scale, offset, error, int(beyond.sum()), floor)
