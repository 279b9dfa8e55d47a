"""Files of the folder, and none that a link would lead out of it."""

from __future__ import annotations

from pathlib import Path

from voxplain.errors import InputError


def inside(out: Path, path: Path) -> Path:
    """A file of the folder, with every link followed.

    Args:
        out: the folder, without links.

    Raises:
        InputError: it is not there, or a link leads out of the folder. The message names the file as the folder knows it.
    """
    try:
        found = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # a NUL in a name is a ValueError
        raise InputError(f"{named(out, path)}: it is not there any more") from None
    if not found.is_relative_to(out):
        raise InputError(f"{named(out, path)}: a link that leaves the study, which is not followed")
    return found


def is_inside(out: Path, path: Path) -> bool:
    """Whether a file is there, in the folder."""
    try:
        return path.resolve(strict=True).is_relative_to(out)
    except (OSError, RuntimeError, ValueError):  # a NUL in a name is a ValueError
        return False


def named(out: Path, path: Path) -> str:
    """A file as the folder knows it."""
    return path.relative_to(out).as_posix() if path.is_relative_to(out) else path.name
