"""Sheets of samples, to be looked at while a training runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from voxplain.case.atomic import whole


def write_samples(path: Path, images: Tensor, *, columns: int = 8) -> Path:
    """Write images (N, C, *S) as one PNG: first channel, of volumes the middle slice, each row darkest to brightest alike.

    Args:
        path: of the PNG.
        images: to show.
        columns: images side by side.
    """
    from PIL import Image

    sheet = sheet_of(images[:, 0].detach().float().cpu().numpy(), columns)
    low, high = np.quantile(sheet, [0.005, 0.995])
    grey = np.clip((sheet - low) / max(high - low, 1e-12), 0, 1)
    with whole(path, parents=True) as temporary:
        Image.fromarray((grey * 255).astype(np.uint8)).save(temporary, format="PNG")
    return path


def sheet_of(images: NDArray[np.float32], columns: int) -> NDArray[np.float32]:
    """(N, *S) side by side; places without an image are dark. Axes as in pictures: the first one runs to the right."""
    flat = images if images.ndim == 3 else images[..., images.shape[-1] // 2]
    rows = -(-len(flat) // columns)
    sheet = np.full((rows, columns, flat.shape[2], flat.shape[1]), flat.min(), dtype=np.float32)
    for n, image in enumerate(flat):
        sheet[n // columns, n % columns] = image.T[::-1]
    return sheet.transpose(0, 2, 1, 3).reshape(rows * flat.shape[2], columns * flat.shape[1])
