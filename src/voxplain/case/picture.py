"""Pictures as (C, rows, columns) in the file's own numbers: PNG, JPEG and BMP here, TIFF in its own file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.case import png16, tiff
from voxplain.case.loaded import Loaded, unreadable
from voxplain.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")

_GREY = ("1", "L", "I;16", "I;16B", "I;16L", "I", "F")


def read_picture(path: Path, name: str, *, indices: bool = False) -> Loaded:
    """Read a grey or RGB picture; several TIFF pages are a stack (C, pages, rows, columns) without geometry.

    Args:
        path: the file.
        name: the name to give it.
        indices: keep a palette's indices (a label map) instead of looking up the colours.

    Raises:
        InputError: a damaged file, or an encoding that cannot be read without loss.
    """
    if path.suffix.lower() in (".tif", ".tiff"):
        array, meta, notes, alarms = tiff.read(path, indices=indices)
    else:
        array, meta, notes = _read(path, indices)
        alarms = []
    if 0 in array.shape:
        raise InputError(f"{path}: is an empty picture of shape {array.shape}")
    return Loaded(name, array, meta=meta, notes=tuple(notes), warnings=tuple(alarms))


def _read(path: Path, indices: bool) -> tuple[npt.NDArray[Any], dict[str, object], list[str]]:
    from PIL import Image, UnidentifiedImageError

    broken = (OSError, ValueError, SyntaxError, EOFError, UnidentifiedImageError, KeyError, IndexError)
    try:
        # Pillow warns from 89 megapixels on and raises from 178 on; only the latter is our business.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                array, notes = _decode(path, image, indices)
                meta: dict[str, object] = {"format": str(image.format), "mode": image.mode}
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: has too many pixels to be read at once; cut out a part") from error
    except InputError:
        raise
    except broken as error:
        raise unreadable(path, error, "a picture") from error
    return array, meta, notes


def _decode(path: Path, image: Any, indices: bool) -> tuple[npt.NDArray[Any], list[str]]:
    """Pixels (C, rows, columns) after EXIF orientation, without alpha."""
    from PIL import Image, ImageOps

    notes = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append(f"the first of {image.n_frames} frames was read")
    turned = image.getexif().get(0x0112, 1)
    if png16.is_colour16(path):
        pixels = png16.read(path)
        if turned in range(2, 9):
            pixels = tiff.oriented(pixels, turned)
        image_mode = "RGB" if pixels.shape[2] == 3 else "RGBA"
    else:
        upright = ImageOps.exif_transpose(image)
        upright = _plain(upright, indices)
        pixels, image_mode = np.asarray(upright), upright.mode
        assert isinstance(upright, Image.Image)
    if turned in range(2, 9):
        notes.append("turned upright as EXIF says")
    pixels = np.atleast_3d(pixels)
    if image_mode in ("RGBA", "LA"):
        pixels = pixels[..., :-1]
        notes.append("the alpha channel was left out")
    return np.moveaxis(pixels, 2, 0) // png16.grey_factor(path, image_mode), notes


def _plain(image: Any, indices: bool) -> Any:
    """Grey, RGB or RGBA; palettes and other colour spaces are converted to RGB."""
    if image.mode in _GREY or image.mode in ("RGB", "RGBA", "LA"):
        return image
    if image.mode in ("P", "PA") and indices:
        return image if image.mode == "P" else image.getchannel(0)
    converted = image.convert("RGB")
    if image.mode in ("P", "PA"):
        red, green, blue = converted.split()
        if red.tobytes() == green.tobytes() == blue.tobytes():
            return red
    return converted
