"""TIFF: any sample type, one page or a stack of pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.case.loaded import unreadable
from voxplain.errors import InputError

Read = tuple[npt.NDArray[Any], dict[str, object], list[str], list[str]]

_STACK = "ZQIT"  # tifffile's letters for depth, an unnamed axis, a sequence, time
_ORIENTATION = 274


def read(path: Path, *, indices: bool = False) -> Read:
    """Pixels (C, rows, columns) or (C, pages, rows, columns), facts, notes and warnings.

    Raises:
        InputError: a damaged file, a compression or an arrangement of axes that cannot be read.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            series = file.series[0]
            page = series.keyframe
            notes = [f"the first of {len(file.series)} pictures was read"] if len(file.series) > 1 else []
            values, axes = _values(path, series)
            facts: dict[str, object] = {"format": "TIFF", "dtype": str(values.dtype)}
            inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
            palette = page.colormap if page.photometric == tifffile.PHOTOMETRIC.PALETTE else None
            opaque = bool(page.extrasamples)
            tag = page.tags.get(_ORIENTATION)
            turned = int(tag.value) if tag is not None else 1
    except InputError:
        raise
    except (*_broken(), tifffile.TiffFileError) as error:
        raise unreadable(path, error, "TIFF") from error
    array = _channel_first(path, values, axes)
    if opaque and "S" in axes and len(array) in (2, 4):
        array = array[:-1]
        notes.append("the alpha channel was left out")
    if palette is not None and not indices:
        array = np.asarray(palette)[:, array[0]]
    if turned in range(2, 9):
        array = np.moveaxis(oriented(np.moveaxis(array, (-2, -1), (0, 1)), turned), (0, 1), (-2, -1))
        notes.append("turned upright as the orientation tag says")
    alarms = ["small values are white in this file (MINISWHITE); the values are kept"] if inverted else []
    return array, facts, notes, alarms


def oriented(pixels: npt.NDArray[Any], code: int) -> npt.NDArray[Any]:
    """(rows, columns, ...) as stored to upright, by TIFF's and EXIF's orientation code 1 to 8."""
    if code >= 5:  # 5 to 8 store columns as rows
        pixels = np.swapaxes(pixels, 0, 1)
    # After that, codes 2, 3, 6, 7 run from right to left, 3, 4, 7, 8 from bottom to top.
    if code in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels[::-1] if code in (3, 4, 7, 8) else pixels


def _broken() -> tuple[type[Exception], ...]:
    import struct
    import zlib

    return (OSError, ValueError, KeyError, IndexError, EOFError, TypeError, struct.error, zlib.error)


def _values(path: Path, series: Any) -> tuple[npt.NDArray[Any], str]:
    """The first series and the letters of its axes, by tifffile or, for codecs it lacks, by Pillow."""
    try:
        return series.asarray(), str(series.axes)
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        return _by_pillow(path, series.keyframe)


def _by_pillow(path: Path, page: Any) -> tuple[npt.NDArray[Any], str]:
    """LZW, JPEG and their like: Pillow decodes all but 16-bit colour."""
    from PIL import Image, ImageSequence

    if page.samplesperpixel > 1 and page.bitspersample > 8:
        raise InputError(
            f"{path}: {page.bitspersample}-bit colour in {page.compression.name} compression cannot be read;"
            " save it uncompressed or with deflate, or `pip install imagecodecs`"
        )
    with Image.open(path) as image:
        # Pillow turns pictures upright while it decodes; here the caller does, for all decoders alike.
        getattr(image, "tag_v2", {}).pop(_ORIENTATION, None)
        pages = [np.asarray(p) for p in ImageSequence.Iterator(image)]
    if len({p.shape for p in pages}) > 1:
        pages = pages[:1]
    sample = "YXS" if pages[0].ndim == 3 else "YX"
    return (np.stack(pages), "Q" + sample) if len(pages) > 1 else (pages[0], sample)


def _channel_first(path: Path, values: npt.NDArray[Any], axes: str) -> npt.NDArray[Any]:
    """By tifffile's letters: S or C are channels, one further axis is the stack."""
    single = tuple(i for i, letter in enumerate(axes) if letter not in "YX" and values.shape[i] == 1)
    if len(axes) - len(single) > 2:
        values = np.squeeze(values, single)
        axes = "".join(letter for i, letter in enumerate(axes) if i not in single)
    else:
        values, axes = values.reshape([values.shape[axes.index("Y")], values.shape[axes.index("X")]]), "YX"
    channel = [i for i, letter in enumerate(axes) if letter in "SC"]
    depth = [i for i, letter in enumerate(axes) if letter in _STACK]
    if len(channel) > 1 or len(depth) > 1 or len(channel) + len(depth) + 2 != len(axes):
        raise InputError(f"{path}: has axes {axes} of shape {values.shape}; save one stack, grey or RGB")
    order = [*channel, *depth, axes.index("Y"), axes.index("X")]
    ordered = np.transpose(values, order)
    return ordered if channel else ordered[None]
