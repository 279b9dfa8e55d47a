"""What every reader hands over, before it becomes a case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy.typing as npt

from voxplain.case.geometry import Geometry
from voxplain.errors import GeometryError, InputError


@dataclass(frozen=True)
class Loaded:
    """The content of one file or DICOM series, in the file's own numbers.

    Args:
        name: a short name without patient identifiers.
        array: (C, *spatial), any numeric type.
        geometry: where the voxels lie, if the file says so.
        label: (*spatial), only where the file itself brings one.
        meta: JSON-able facts.
        notes: what was done silently, one sentence each.
        warnings: what the user should know, one sentence each.
    """

    name: str
    array: npt.NDArray[Any]
    geometry: Geometry | None = None
    label: npt.NDArray[Any] | None = None
    meta: dict[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let geometry errors begin with the file's name."""
    try:
        yield
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from error


def unreadable(path: Path, error: BaseException, kind: str) -> InputError:
    """One line for whatever a library raised on a broken file."""
    reason = str(error)
    if isinstance(error, OSError) and error.strerror:
        other = f" ({error.filename})" if error.filename and str(error.filename) != str(path) else ""
        reason = error.strerror + other
    line = " ".join(reason.split()) or type(error).__name__
    return InputError(f"{path}: cannot be read as {kind}: {line[:200]}; the file may be damaged or cut short")
