"""Errors that are the user's to mend.

Every message is one line: what was asked (the file or field), what was found, what would work.
The command line prints the message alone and exits with 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class VoxplainError(Exception):
    """Base of every error that voxplain raises on purpose."""


class InputError(VoxplainError, ValueError):
    """A file, field or argument that cannot be used."""


class StorageError(InputError):
    """A place that cannot be written to: no folder, no permission, a full disk."""


class GeometryError(InputError):
    """Voxel grids that are impossible or do not fit each other."""


class ModelError(VoxplainError):
    """A network that cannot be loaded or does not fit its input."""


class TargetError(InputError):
    """A target that cannot be resolved on this model and case."""


class OutOfMemoryError(VoxplainError, MemoryError):
    """A pass that does not fit into memory even at the smallest batch."""


def suggest(name: str, known: Iterable[str], count: int = 3) -> str:
    """The closest known names as an error's last clause, or all of them where there are few.

    >>> suggest("hipocampus", ["Hippocampus", "Amygdala"])
    "did you mean 'Hippocampus'?"
    """
    names = list(known)
    folded: dict[str, str] = {n.casefold(): n for n in names}
    close = difflib.get_close_matches(name.casefold(), list(folded), n=count, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(folded[c]) for c in close) + "?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"known: {shown}" if names else "none is known"
