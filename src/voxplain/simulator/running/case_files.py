"""The files of one subject, on its own grid: NIfTI where there is a geometry, else npz."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from torch import Tensor

from voxplain.case import Case, write_case
from voxplain.counterfactual import CounterfactualPath
from voxplain.simulator.field import write_displacement
from voxplain.simulator.running.home import Floats, Home

RECORD = "explanation.json"
LOG_JACOBIAN = "log_jacobian"


def emptied(place: Path) -> Path:
    """A folder for new files; what another explanation has left there goes."""
    if place.exists():
        (place / RECORD).unlink(missing_ok=True)  # first, so that a killed run leaves no half of both
        shutil.rmtree(place)
    place.mkdir(parents=True)
    return place


def suffix(home: Home) -> str:
    """Of maps."""
    return ".npz" if home.geometry is None else ".nii.gz"


def at_dose(path: CounterfactualPath) -> int:
    """The index of the frame at the calibrated dose."""
    return int((path.doses - path.dose).abs().argmin())


def write_files(place: Path, path: CounterfactualPath, home: Home, kinds: tuple[str, ...]) -> None:
    """Write what was asked for, as far as it is not withheld.

    Args:
        place: an empty folder.
        path: of the subject.
        home: to its own grid.
        kinds: besides the log-Jacobian, which is always written.
    """
    makers: dict[str, Callable[[Path, CounterfactualPath, Home], None]] = {
        "frames": _frames, "after": _after, "warp": _warp, "jacobian": _jacobian, "difference": _difference,
        LOG_JACOBIAN: _log_jacobian,
    }  # fmt: skip
    for kind in (LOG_JACOBIAN, *kinds):
        if kind not in path.withheld:
            makers[kind](place, path, home)


def sizes(place: Path) -> dict[str, int]:
    """The files of a folder, and how many bytes each has."""
    return {file.name: file.stat().st_size for file in sorted(place.iterdir()) if file.name != RECORD}


def is_whole(place: Path, told: Mapping[str, int]) -> bool:
    """Whether files are there as they were written; see `sizes`."""
    return all((file := place / name).is_file() and file.stat().st_size == told[name] for name in told)


def _frames(place: Path, path: CounterfactualPath, home: Home) -> None:
    """What the classifier saw, frame by frame, the channels of each together."""
    _write(place / "frames", home.map(path.frames.flatten(0, 1)), home)


def _after(place: Path, path: CounterfactualPath, home: Home) -> None:
    """The file's own image, warped at full resolution and in its own units; a change of brightness has no such units."""
    if "brightness" not in path.maps:
        _write(place / "after", home.warped(home.field(path.map("warp"))), home)


def _warp(place: Path, path: CounterfactualPath, home: Home) -> None:
    field = home.field(path.map("warp"))
    if home.geometry is None:
        _write(place / "warp_voxels", field, home)
        return
    write_displacement(place / "warp_itk.nii.gz", field, home.geometry)
    _write(place / "warp", home.millimetres(field), home)


def _jacobian(place: Path, path: CounterfactualPath, home: Home) -> None:
    _write(place / "jacobian", jacobian_of(path, home)[None], home)


def _log_jacobian(place: Path, path: CounterfactualPath, home: Home) -> None:
    _write(place / LOG_JACOBIAN, home.map(path.map("log_jacobian")[None]), home)


def _difference(place: Path, path: CounterfactualPath, home: Home) -> None:
    _write(place / "difference", home.map(path.map("difference")), home)


def jacobian_of(path: CounterfactualPath, home: Home) -> Floats:
    """(*case spatial); a determinant is the same on every grid."""
    determinant: Floats = home.map(path.map("jacobian")[None], outside=1.0)[0]
    return determinant


def _write(file: Path, values: Floats, home: Home) -> None:
    write_case(file.with_name(file.name + suffix(home)), Case(file.name, values, home.geometry))


def maps_of(path: CounterfactualPath, home: Home) -> Mapping[str, Floats]:
    """What figures show, on the case's grid: before, after, difference, and unless withheld log_jacobian and motion."""
    frame: Tensor = path.frames[at_dose(path)]
    shown = {
        "before": home.map(path.frames[0]),
        "after": home.map(frame),
        "difference": home.map(path.map("difference")),
    }
    if LOG_JACOBIAN not in path.withheld:
        shown[LOG_JACOBIAN] = home.map(path.map(LOG_JACOBIAN)[None])[0]
        shown["motion"] = home.field(path.map("motion"))
    return {name: np.ascontiguousarray(values) for name, values in shown.items()}
