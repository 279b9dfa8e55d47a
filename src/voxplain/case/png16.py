"""PNG with 16 bits per colour, which Pillow cuts to 8, and with 2 or 4 bits, which it stretches to 8."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = {2: ("RGB", 3), 6: ("RGBA", 4)}


def is_colour16(path: Path) -> bool:
    """Whether the file is an RGB or RGBA PNG with 16 bits."""
    depth, colour = _header(path)
    return depth == 16 and colour in _COLOURS


def grey_factor(path: Path, mode: str) -> int:
    """What Pillow multiplied the grey values of a 2- or 4-bit PNG with, else 1."""
    depth, colour = _header(path)
    return 255 // (2**depth - 1) if mode == "L" and colour == 0 and depth in (2, 4) else 1


def read(path: Path) -> npt.NDArray[np.uint16]:
    """(rows, columns, 3 or 4): Pillow decodes the file twice, once for each byte of the samples.

    Pillow's raw mode ";16B" keeps the first byte of a sample, which is PNG's high one, and ";16L" the second.
    """
    from PIL import Image

    mode = _COLOURS[_header(path)[1]][0]
    halves = []
    for order in (f"{mode};16B", f"{mode};16L"):
        with Image.open(path) as image:
            image.tile = [tile._replace(args=order) for tile in image.tile]
            halves.append(np.asarray(image).astype(np.uint16))
    pixels: npt.NDArray[np.uint16] = halves[0] * np.uint16(256) + halves[1]
    return pixels


def write(file: BinaryIO, pixels: npt.NDArray[Any]) -> None:
    """Write (rows, columns, 3) uint16 as PNG, each row as differences to the one above (filter 2)."""
    rows, columns, _ = pixels.shape
    lines = pixels.astype(">u2").reshape(rows, -1).view(np.uint8)
    lines = np.concatenate([lines[:1], lines[1:] - lines[:-1]])
    filtered = np.concatenate([np.full((rows, 1), 2, np.uint8), lines], axis=1)
    file.write(_SIGNATURE)
    _chunk(file, b"IHDR", struct.pack(">IIBBBBB", columns, rows, 16, 2, 0, 0, 0))
    _chunk(file, b"IDAT", zlib.compress(filtered.tobytes()))
    _chunk(file, b"IEND", b"")


def _chunk(file: BinaryIO, kind: bytes, content: bytes) -> None:
    file.write(struct.pack(">I", len(content)) + kind + content)
    file.write(struct.pack(">I", zlib.crc32(kind + content)))


def _header(path: Path) -> tuple[int, int]:
    """Bit depth and colour type of a PNG, zeros for another format."""
    with path.open("rb") as file:
        start = file.read(26)
    return (start[24], start[25]) if len(start) == 26 and start.startswith(_SIGNATURE) else (0, 0)
