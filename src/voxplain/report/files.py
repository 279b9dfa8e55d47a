"""Pictures and pages to disk, whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.case.atomic import write_whole
from voxplain.target.scene import slug

if TYPE_CHECKING:
    from voxplain.report.canvas import Drawing


def save_figures(
    folder: str | Path, drawings: Mapping[str, Drawing], *, stem: str = "map", dpi: int = 130
) -> dict[str, Path]:
    """Write each drawing as `<folder>/<stem>-<name>.png`; the folder is made where it is missing.

    Returns the paths under the drawings' names. A file appears only when it is complete.

    Raises:
        InputError: the folder cannot be written to, e.g. because the disk is full.
    """
    places = figure_paths(folder, drawings, stem=stem)
    return {name: write_whole(places[name], png(drawing, dpi)) for name, drawing in drawings.items()}


def figure_paths(folder: str | Path, names: Iterable[str], *, stem: str = "map") -> dict[str, Path]:
    """Where `save_figures` writes drawings of these names."""
    return {name: Path(folder) / f"{slug(stem)}-{slug(name)}.png" for name in names}


def png(drawing: Drawing, dpi: int = 130) -> bytes:
    """The drawing as the bytes of a PNG file, with its alternative text as the description."""
    buffer = io.BytesIO()
    drawing.figure.savefig(
        buffer,
        format="png",
        dpi=dpi,
        facecolor=drawing.figure.get_facecolor(),
        metadata={"Software": "voxplain"},
    )
    return buffer.getvalue()
