"""NumPy files: bare arrays (.npy) and arrays with their geometry (.npz). Nothing is ever unpickled."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.case.geometry import Geometry
from voxplain.case.loaded import Loaded, naming, unreadable
from voxplain.errors import InputError, suggest

SUFFIXES = (".npy", ".npz")

_BROKEN = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError)


def read_array(path: Path, name: str) -> Loaded:
    """Read `.npy`, or the keys `image` and, where present, `affine`, `label`, `spatial_dims` of `.npz`.

    The number of axes tells what an array is: two are one 2-D channel, three a volume of one channel, four
    (C, X, Y, Z). A 2-D image with channels needs `.npz` with `spatial_dims=2`.

    Raises:
        InputError: a damaged or pickled file, an array of other than 2 to 4 axes, an `.npz` without `image`.
        GeometryError: an impossible affine.
    """
    if path.suffix.lower() == ".npy":
        try:
            values = np.load(path, allow_pickle=False)
        except _BROKEN as error:
            raise _broken(path, error) from error
        return Loaded(
            name, _channel_first(path, values), meta={"format": "NumPy", "dtype": str(values.dtype)}
        )
    content = _archive(path)
    if "image" not in content:
        known = suggest("image", content)
        raise InputError(f"{path}: has no array named 'image' ({known}); write np.savez(file, image=…)")
    dims = int(content["spatial_dims"]) if "spatial_dims" in content else None
    array = _channel_first(path, content["image"], dims)
    geometry = None
    if "affine" in content:
        with naming(path):
            geometry = Geometry(content["affine"], array.shape[1:])
    return Loaded(name, array, geometry, label=content.get("label"), meta=_facts(array))


def _facts(array: npt.NDArray[Any]) -> dict[str, object]:
    return {"format": "NumPy", "dtype": str(array.dtype)}


def _archive(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an `.npz` that a case can use, and the others' names with nothing behind them."""
    wanted = {"image", "affine", "label", "spatial_dims"}
    try:
        # numpy leaves a file that it cannot read open when it is given a path
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] if key in wanted else np.empty(0) for key in archive.files}
    except _BROKEN as error:
        raise _broken(path, error) from error
    except AttributeError as error:  # numpy gives a bare array for a renamed .npy
        raise InputError(f"{path}: is not an .npz archive; a single array is named .npy") from error


def _broken(path: Path, error: Exception) -> InputError:
    if "allow_pickle" in str(error):
        return InputError(f"{path}: holds pickled objects, which are never loaded; save numbers")
    return unreadable(path, error, "NumPy")


def _channel_first(path: Path, values: npt.NDArray[Any], dims: int | None = None) -> npt.NDArray[Any]:
    """(C, *spatial) by the number of axes, or by the number of spatial axes where that is known."""
    if dims in (2, 3) and values.ndim == dims + 1:
        return values
    if dims in (None, values.ndim) and values.ndim in (2, 3):
        return values[None]
    if dims is None and values.ndim == 4:
        return values
    asked = "" if dims is None else f" with spatial_dims={dims}"
    raise InputError(
        f"{path}: an array of shape {values.shape}{asked} is no image; give (X, Y), (X, Y, Z) or (C, X, Y, Z)"
    )
