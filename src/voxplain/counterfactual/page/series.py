"""The series of an image, from its files, as the page's slider shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.case import Case, read_case
from voxplain.errors import InputError
from voxplain.report.colours import Scale
from voxplain.report.series import ShownLayer, ShownSeries, ShownStep

NO_FRAMES = "the frames were not written (explain.files has no frames)"


def image_series(place: Path, record: dict[str, Any], names: tuple[str, str], unit: str) -> ShownSeries:
    """What lies in an image's folder.

    Args:
        place: the folder.
        record: of the image.
        names: the decisions below and above 0.
        unit: of its values.

    Raises:
        InputError: there are no frames, or other than the record tells.
    """
    case, frames = read_frames(place, len(record["doses"]))
    steps = steps_of(record["doses"], record["scores"], record["dose"])
    withheld = record["withheld"]
    notes = (f"The difference is withheld: {withheld}.",) if withheld else ()
    layers = () if withheld else difference(frames, [step.calibrated for step in steps].index(True), unit)
    return ShownSeries(
        record["id"],
        frames[0],
        steps,
        frames,
        layers,
        case.geometry,
        names,
        record["target"],
        unit,
        (),
        notes,
    )


def read_frames(place: Path, count: int) -> tuple[Case, NDArray[Any]]:
    """The first channel of each frame (F, *case spatial), and the file as a case.

    Raises:
        InputError: there are none, or another number than expected.
    """
    file = next((f for f in (place / "frames.nii.gz", place / "frames.npz") if f.is_file()), None)
    if file is None:
        raise InputError(NO_FRAMES)
    case = read_case(file)
    if len(case.image) % count:
        raise InputError(
            f"{file.name}: found {len(case.image)} channels, expected a multiple of {count} doses"
        )
    return case, np.ascontiguousarray(case.image[:: len(case.image) // count])


def steps_of(doses: list[float], scores: list[float], dose: float) -> tuple[ShownStep, ...]:
    """One per frame; the calibrated one is marked, of a dose of 0 the last of these."""
    near = np.flatnonzero(np.isclose(doses, dose))
    marked = int(near[-1]) if len(near) else int(np.abs(np.array(doses) - dose).argmin())
    return tuple(ShownStep(d, s, n == marked) for n, (d, s) in enumerate(zip(doses, scores, strict=True)))


def difference(frames: NDArray[Any], at: int, unit: str) -> tuple[ShownLayer, ...]:
    """What each frame adds to the first, in the colours of the still picture at one step; nothing where nothing changes."""
    away = frames[at] - frames[0]
    if not away.any():
        return ()
    return (ShownLayer("difference", frames, limit=Scale.of(away).limit, unit=unit),)
