"""Explain any PyTorch model on medical images, 2D and 3D, with numbers that say whether to believe it.

Names are imported from their rooms when they are first used: `import voxplain` loads neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Public name -> the room it lives in. The block for type checkers repeats it; a test keeps both equal.
_EXPORTS = {
    "VoxplainError": "voxplain.errors",
    "InputError": "voxplain.errors",
    "GeometryError": "voxplain.errors",
    "ModelError": "voxplain.errors",
    "TargetError": "voxplain.errors",
    "OutOfMemoryError": "voxplain.errors",
}

__all__ = ["__version__", *_EXPORTS]  # noqa: PLE0604 (names and a string: checked by a test)

if TYPE_CHECKING:
    from voxplain.errors import (
        GeometryError as GeometryError,
        InputError as InputError,
        ModelError as ModelError,
        OutOfMemoryError as OutOfMemoryError,
        TargetError as TargetError,
        VoxplainError as VoxplainError,
    )


def __getattr__(name: str) -> object:
    """Import a public name from its room on first use (PEP 562) and keep it here."""
    if name not in _EXPORTS:
        raise AttributeError(f"module 'voxplain' has no attribute {name!r}")
    value: object = getattr(import_module(_EXPORTS[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})
