"""Stored pixels to values."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxplain.case.dicom.frames import Frame
from voxplain.case.dicom.headers import read_dataset
from voxplain.errors import InputError

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def read_values(frames: Sequence[Frame]) -> npt.NDArray[np.float32]:
    """The values (C, frames, rows, columns) in the given order, each file decoded once.

    Raises:
        InputError: no pixel data, no decoder for them, damaged pixels, grey and colour mixed.
    """
    places: dict[Path, list[int]] = {}
    for place, frame in enumerate(frames):
        places.setdefault(frame.header.path, []).append(place)
    volume: npt.NDArray[np.float32] | None = None
    for path, wanted in places.items():
        pictures, dataset = _decoded(path)
        for place in wanted:
            if frames[place].index >= len(pictures):
                raise InputError(
                    f"{path}: says it has {frames[place].header.frames} frames, holds {len(pictures)}"
                )
            values = _values(frames[place], pictures[frames[place].index], dataset)
            if volume is None:
                volume = np.empty((values.shape[0], len(frames), *values.shape[1:]), np.float32)
            if volume[:, place].shape != values.shape:
                raise InputError(
                    f"{path}: has {len(values)} channels, other images of its series {len(volume)}"
                )
            volume[:, place] = values
    if volume is None:
        raise InputError("a series without images cannot be read")
    return volume


def _values(frame: Frame, picture: npt.NDArray[Any], dataset: Any) -> npt.NDArray[Any]:
    """One frame (C, rows, columns) with its own slope and intercept; colours have none."""
    if picture.ndim == 3:
        return np.moveaxis(picture, 2, 0)
    if dataset.get("ModalityLUTSequence"):
        from pydicom.pixels import apply_modality_lut

        return np.asarray(apply_modality_lut(picture, dataset))[None]
    if frame.slope == 1 and frame.intercept == 0:
        return picture[None]
    scaled: npt.NDArray[np.float64] = picture[None].astype(np.float64) * frame.slope + frame.intercept
    return scaled


def _decoded(path: Path) -> tuple[npt.NDArray[Any], Any]:
    """All frames of a file (F, rows, columns[, 3]) as stored (colours as RGB), and its dataset."""
    dataset = read_dataset(path, pixels=True)
    if dataset is None or not any(keyword in dataset for keyword in _PIXELS):
        raise InputError(f"{path}: has no pixel data (only a header)")
    if not getattr(dataset, "file_meta", None) or "TransferSyntaxUID" not in dataset.file_meta:
        dataset.ensure_file_meta()
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2"  # DICOM's default for files that do not say
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pixels = _pixels(dataset)
    except MemoryError as error:
        raise InputError(f"{path}: its pixels do not fit into memory") from error
    except Exception as error:  # decoders raise nearly anything
        raise InputError(f"{path}: {_why(dataset, error)}") from error
    samples = int(dataset.get("SamplesPerPixel") or 1)
    colour = samples > 1 or dataset.get("PhotometricInterpretation") == "PALETTE COLOR"
    return (pixels if pixels.ndim == (4 if colour else 3) else pixels[None]), dataset


def _pixels(dataset: Any) -> npt.NDArray[Any]:
    pixels = np.asarray(dataset.pixel_array)
    if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
        from pydicom.pixels import apply_color_lut

        pixels = np.asarray(apply_color_lut(pixels, dataset))[..., :3]
    return pixels


def _why(dataset: Any, error: Exception) -> str:
    """A missing decoder is the user's to install; anything else is a damaged file."""
    syntax = dataset.file_meta.TransferSyntaxUID
    text = " ".join(str(error).split())
    if "missing dependencies" in text:
        return (
            f"no decoder for {syntax.name} is installed; `pip install voxplain[dicom]` brings the usual ones"
        )
    return f"its pixels ({syntax.name}) cannot be decoded: {text[:160]}; the file may be damaged or cut short"
