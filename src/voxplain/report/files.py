"""Pictures and pages to disk, whole or not at all."""

from __future__ import annotations

import io
import re
import secrets
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.errors import InputError

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
    root, start = Path(folder), slug(stem)
    return {
        name: write_whole(root / f"{start}-{slug(name)}.png", png(drawing, dpi))
        for name, drawing in drawings.items()
    }


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


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file under a temporary name and rename it into place, so that nobody sees half of it.

    Raises:
        InputError: it cannot be written.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}.part")
        with temporary.open("xb") as stream:
            stream.write(content)
        temporary.replace(path)
    except OSError as problem:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        reason = problem.strerror or str(problem)
        raise InputError(
            f"{path}: cannot be written ({reason}); choose a folder with room and access"
        ) from problem
    return path


def slug(name: str, longest: int = 100) -> str:
    """A file name's stem that every file system takes.

    >>> slug("boundary:Left Hippocampus/2"), slug("../Niño"), slug("…")
    ('boundary-Left-Hippocampus-2', 'Nino', 'unnamed')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.+]+", "-", plain).strip("-.")[:longest].strip("-.") or "unnamed"
