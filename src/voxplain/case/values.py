"""Voxel values: what an image and what a label map may hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.errors import InputError

_INT32 = np.iinfo(np.int32)
# Labels saved as 16-bit integers with a slope come back that close to whole numbers for up to 130 classes.
_WHOLE = 1e-3


def as_image(array: npt.ArrayLike, what: str, fill_nan: float | None = None) -> npt.NDArray[np.float32]:
    """The values as finite float32, without a copy where none is needed.

    Args:
        array: real numbers of any type, any shape.
        what: names the array in errors.
        fill_nan: replaces NaN and infinities; without it they are an error.

    Raises:
        InputError: complex or non-numeric values; values that are NaN, infinite or beyond float32.
    """
    values = np.asarray(array)
    if np.iscomplexobj(values):
        raise InputError(f"{what} holds complex numbers; save its magnitude, or both parts as channels")
    if values.dtype.kind not in "biuf":
        raise InputError(f"{what} must hold numbers, not {values.dtype}")
    with np.errstate(over="ignore", invalid="ignore"):
        image = values.astype(np.float32, copy=False)
    finite = np.isfinite(image)
    if finite.all():
        return image
    if fill_nan is None:
        raise InputError(_not_finite(values, finite, what))
    if not np.isfinite(fill_nan):
        raise InputError(f"fill_nan must be a finite number, not {fill_nan}")
    return np.where(finite, image, np.float32(fill_nan))


def as_labels(array: npt.ArrayLike, what: str) -> npt.NDArray[np.int32]:
    """The values as int32 labels; floats are taken where each is a whole number.

    Raises:
        InputError: values that are not whole numbers, or are beyond int32.
    """
    values = np.asarray(array)
    if values.dtype == np.int32:
        return values
    if values.dtype.kind not in "biuf":
        raise InputError(f"{what} must hold integers, not {values.dtype}")
    if values.dtype.kind == "f":
        _check_whole(values, what)
    if values.size and (values.min() < _INT32.min or values.max() > _INT32.max):
        raise InputError(f"{what} holds values from {values.min()} to {values.max()}, beyond 32-bit integers")
    return np.round(values).astype(np.int32)


def _check_whole(values: npt.NDArray[Any], what: str) -> None:
    # Written so that NaN and infinities count as wrong, too.
    with np.errstate(invalid="ignore"):
        wrong = ~(np.abs(values - np.round(values)) <= _WHOLE)
    if wrong.any():
        examples = ", ".join(f"{x:.6g}" for x in np.unique(values[wrong])[:3])
        raise InputError(
            f"{what} must hold whole numbers, but {int(wrong.sum())} of {values.size} values are not"
            f" ({examples}, …); threshold a probability map, resample a label with nearest neighbour"
        )


def _not_finite(values: npt.NDArray[Any], finite: npt.NDArray[np.bool_], what: str) -> str:
    """One line: how many voxels are not finite, and where the first is."""
    wrong = ~finite
    first = tuple(int(i) for i in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
    kind = "NaN or infinite" if not np.isfinite(values[wrong]).any() else "NaN, infinite or beyond float32"
    return (
        f"{what} has {int(wrong.sum())} of {wrong.size} values that are {kind}, the first"
        f" ({values[first]:.4g}) at index {first}; fill_nan=0 (--fill-nan 0) would replace them"
    )
