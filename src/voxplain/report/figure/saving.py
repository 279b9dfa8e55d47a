"""Sheets to disk as PNG, SVG or PDF: text stays text, and the same figure is the same file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxplain.case.atomic import write_whole
from voxplain.errors import InputError

if TYPE_CHECKING:
    from voxplain.report.canvas import Drawing

FORMATS = ("png", "svg", "pdf")
DPI = 300.0
# Editable text with embedded fonts; identifiers of an SVG are hashes with this salt instead of random ones.
_SETTINGS: Any = {"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "voxplain"}


def write_figure(path: str | Path, drawing: Drawing, *, dpi: float = DPI) -> Path:
    """Write a figure in the format of its suffix, whole or not at all.

    Args:
        path: ends with .png, .svg or .pdf; its folder is made where it is missing.
        drawing: the figure.
        dpi: dots per inch of a PNG, and of pictures within the others that matplotlib has to resample.

    Raises:
        InputError: another suffix, dots that make no picture, a folder that cannot be written to.
    """
    place = Path(path)
    return write_whole(place, figure_bytes(drawing, format_of(place), dpi=dpi))


def format_of(path: Path) -> str:
    """Of a path's suffix.

    Raises:
        InputError: none that is known.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise InputError(
            f"figure: {path.name} ends with {path.suffix or 'no suffix'!r}; expected {', '.join(FORMATS)}"
        )
    return kind


def figure_bytes(drawing: Drawing, kind: str, *, dpi: float = DPI) -> bytes:
    """A file's content: the same for the same figure, without a date."""
    import matplotlib as mpl

    if not 30 <= dpi <= 2400:
        raise InputError(f"figure: dpi {dpi:g}; expected 30 to 2400")
    about: dict[str, dict[str, Any]] = {
        "png": {"Software": "voxplain", "Description": drawing.alt},
        "svg": {"Creator": "voxplain", "Date": None, "Description": drawing.caption},
        "pdf": {
            "Creator": "voxplain",
            "Producer": "voxplain",
            "CreationDate": None,
            "Subject": drawing.caption,
        },
    }
    buffer = io.BytesIO()
    with mpl.rc_context(_SETTINGS):
        drawing.figure.savefig(buffer, format=kind, dpi=dpi, metadata=about[kind])
    return buffer.getvalue()
