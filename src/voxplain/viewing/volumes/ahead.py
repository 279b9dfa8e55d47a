"""Work that somebody is about to ask for, begun in the meantime."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from voxplain.errors import VoxplainError


def begin(*works: Callable[[], object]) -> None:
    """Begin each in a thread of its own, and wait for none; what is wrong with it is told to whoever asks for it."""
    for work in works:
        Thread(target=_quietly, args=(work,), daemon=True).start()


def _quietly(work: Callable[[], object]) -> None:
    with suppress(VoxplainError, OSError, MemoryError):
        work()
