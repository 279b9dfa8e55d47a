"""Arrays to pictures: whole numbers as 8 or 16 bits, floats as TIFF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.case import png16
from voxplain.case.atomic import whole
from voxplain.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")


def write(file: Path, values: npt.NDArray[Any]) -> None:
    """Write (rows, columns), (C, rows, columns) or, as TIFF, (C, pages, rows, columns).

    Raises:
        InputError: axes, channels or values that the format cannot hold; a place that cannot be written to.
    """
    if file.suffix.lower() in (".tif", ".tiff"):
        _write_tiff(file, values)
        return
    channels = values[None] if values.ndim == 2 else values
    if channels.ndim != 3 or len(channels) not in (1, 3):
        raise InputError(
            f"{file}: an array of shape {values.shape} is no picture; give (rows, columns) or"
            " (C, rows, columns) with C = 1 or 3"
        )
    pixels = _whole_numbers(file, channels)
    if file.suffix.lower() != ".png" and pixels.dtype != np.uint8:
        raise InputError(f"{file}: JPEG holds 8 bits, the values go up to {pixels.max()}; use .png or .tif")
    _write_picture(file, np.moveaxis(pixels, 0, 2) if len(pixels) == 3 else pixels[0])


def _write_picture(file: Path, pixels: npt.NDArray[Any]) -> None:
    from PIL import Image

    with whole(file) as temporary:
        if pixels.ndim == 3 and pixels.dtype == np.uint16:
            with temporary.open("wb") as stream:
                png16.write(stream, pixels)
        elif file.suffix.lower() == ".png":
            Image.fromarray(np.ascontiguousarray(pixels)).save(temporary)
        else:
            Image.fromarray(np.ascontiguousarray(pixels)).save(temporary, quality=95, subsampling=0)


def _whole_numbers(file: Path, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The values as uint8 or uint16, whichever holds them."""
    if values.size == 0 or values.min() < 0 or values.max() > 65535 or not _are_whole(values):
        raise InputError(
            f"{file}: a picture holds whole numbers from 0 to 65535, not values from {values.min():.6g} to"
            f" {values.max():.6g}; .tif, .npy and .npz keep them"
        )
    keep = values.dtype == np.uint16 or values.max() > 255
    return values.astype(np.uint16 if keep else np.uint8)


def _are_whole(values: npt.NDArray[Any]) -> bool:
    return bool((values == np.round(values)).all())


def _write_tiff(file: Path, values: npt.NDArray[Any]) -> None:
    import tifffile

    if values.ndim not in (2, 3, 4):
        raise InputError(f"{file}: an array of {values.ndim} axes is no picture; give (C, rows, columns)")
    axes = "YX" if values.ndim == 2 else "CYX" if values.ndim == 3 else "CZYX"
    if axes != "YX" and len(values) == 1:
        values, axes = values[0], axes[1:]
    colour = axes == "CYX" and len(values) == 3 and values.dtype in (np.uint8, np.uint16)
    if colour:
        values, axes = np.ascontiguousarray(np.moveaxis(values, 0, 2)), "YXS"
    with whole(file) as temporary:
        tifffile.imwrite(
            temporary,
            values,
            photometric="rgb" if colour else "minisblack",
            metadata={"axes": axes},
            compression="zlib",
        )
