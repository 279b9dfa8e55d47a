"""A volume as the browser takes it: numbers as they are, in the smallest type that holds them exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECE = 1 << 20  # bytes that are sent at once


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels on axes R, A, S, the first axis fastest, little-endian.

    Attributes:
        voxels: one axis.
        told: what the viewer must know of it and is only known with it, such as its type.
    """

    voxels: NDArray[Any]
    told: Mapping[str, Any]

    @classmethod
    def of(cls, values: NDArray[Any], **told: Any) -> Volume:
        """Voxels (x, y, z) of a type that the viewer reads."""
        little = values.dtype.newbyteorder("<")
        flat = np.ascontiguousarray(values.T).astype(little, copy=False).reshape(-1)
        return cls(flat, {"type": str(values.dtype), **told})

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self.voxels.nbytes)

    def pieces(self) -> Iterator[bytes]:
        """All bytes in turn."""
        whole = self.voxels.view(np.uint8).data
        for start in range(0, len(whole), PIECE):
            yield bytes(whole[start : start + PIECE])


def exact(values: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """The values in the smallest type that holds all of them, else as float32, and the largest error of that.

    >>> exact(np.array([0.0, 255.0]))[0].dtype, exact(np.array([-1.0, 300.0]))[0].dtype
    (dtype('uint8'), dtype('int16'))
    >>> exact(np.array([0.5, 2.0]))
    (array([0.5, 2. ], dtype=float32), 0.0)
    """
    few = values[::8, ::8, ::8] if values.ndim == 3 else values
    if not bool((few == np.rint(few)).all()):
        return _single(values)
    low, high = float(values.min()), float(values.max())
    kinds = (np.uint8, np.int16, np.uint16)
    kind = next((k for k in kinds if np.iinfo(k).min <= low and high <= np.iinfo(k).max), None)
    if kind is not None:
        whole = values.astype(kind)
        if bool((whole == values).all()):
            return whole, 0.0
    return _single(values)


def _single(values: NDArray[Any]) -> tuple[NDArray[Any], float]:
    small = values.astype(np.float32, copy=False)
    return small, 0.0 if values.dtype == np.float32 else float(np.abs(small - values).max())
