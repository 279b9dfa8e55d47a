"""DICOM series to volumes, single images to pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from voxplain.case.dicom import grid
from voxplain.case.dicom.frames import Frame, frames_of, numbers
from voxplain.case.dicom.headers import Header, find_headers
from voxplain.case.dicom.pixels import read_values
from voxplain.case.dicom.series import choose, short_name
from voxplain.case.loaded import Loaded
from voxplain.errors import InputError


def read_dicom(path: Path, *, series: str | int | None = None) -> Loaded:
    """Read one series of a folder, or one file.

    Images with a place in space become a volume (C, columns, rows, slices), sorted along the normal. An image
    without one (an X-ray) becomes a picture (C, rows, columns), several frames of one file a stack
    (C, frames, rows, columns) without geometry.

    Raises:
        InputError: no DICOM there, several series and none chosen, images that cannot be decoded.
        GeometryError: slices missing, doubled, or of several orientations, sizes or spacings.
    """
    headers, notes = find_headers(path)
    chosen = choose(path, headers, series)
    frames = [frame for header in chosen for frame in frames_of(header)]
    first = chosen[0]
    meta = _facts(first, len(frames))
    warnings = _warnings(chosen)
    if _are_placed(frames, warnings):
        frames = grid.ordered(path, frames)
        geometry, found = grid.geometry(path, frames)
        array = np.ascontiguousarray(np.transpose(read_values(frames), (0, 3, 2, 1)))
        return Loaded(
            short_name(first), array, geometry, meta=meta, notes=(*notes, *found), warnings=tuple(warnings)
        )
    return _without_place(path, chosen, frames, meta, notes=notes, warnings=warnings)


def _are_placed(frames: Sequence[Frame], warnings: list[str]) -> bool:
    """Whether the frames make a volume; a lone image that is placed only in part is a picture."""
    if all(frame.position is None for frame in frames):
        return False
    if len(frames) > 1 or (frames[0].spacing is not None and frames[0].orientation is not None):
        return True
    warnings.append("it has a position, but no orientation or PixelSpacing: it is read as a picture")
    return False


def _without_place(
    path: Path,
    headers: Sequence[Header],
    frames: Sequence[Frame],
    meta: dict[str, object],
    *,
    notes: Sequence[str],
    warnings: Sequence[str],
) -> Loaded:
    """A picture, or a stack of one file's frames."""
    if len(headers) > 1:
        raise InputError(
            f"{path}: its {len(headers)} images have no ImagePositionPatient, so their order is unknown;"
            f" name one file, such as {headers[0].path.name}"
        )
    spacing = frames[0].spacing
    if spacing is None:
        spacing = numbers(headers[0], headers[0].dataset, "ImagerPixelSpacing", 2)
    if spacing is not None:
        meta["pixel_spacing_mm"] = [float(s) for s in spacing]
    values = read_values(frames)
    if len(frames) == 1:
        values = values[:, 0]
    else:
        warnings = [
            *warnings,
            f"its {len(frames)} frames have no position: they are stacked without geometry",
        ]
    return Loaded(short_name(headers[0]), values, meta=meta, notes=tuple(notes), warnings=tuple(warnings))


def _facts(header: Header, images: int) -> dict[str, object]:
    """What is worth keeping of a header: nothing about the patient."""
    facts: dict[str, object] = {
        "format": "DICOM",
        "modality": header.text("Modality"),
        "images": images,
        "photometric": header.text("PhotometricInterpretation"),
    }
    if header.text("RescaleType"):
        facts["unit"] = header.text("RescaleType")
    return facts


def _warnings(headers: Sequence[Header]) -> list[str]:
    if any(h.text("PhotometricInterpretation") == "MONOCHROME1" for h in headers):
        return ["small values are white in these images (MONOCHROME1); the values are kept"]
    return []
