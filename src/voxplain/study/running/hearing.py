"""Where threads put what they hear from workers, and a loop finds it."""

from __future__ import annotations

import queue
from contextlib import suppress
from typing import Generic, TypeVar

Said = TypeVar("Said")


class Hearing(Generic[Said]):
    """What was said, in the order in which it came."""

    def __init__(self) -> None:
        self._heard: queue.Queue[Said] = queue.Queue()

    def put(self, said: Said) -> None:
        """From any thread."""
        self._heard.put(said)

    def within(self, seconds: float) -> list[Said]:
        """All that is there, as soon as something is, or nothing after so many seconds."""
        found: list[Said] = []
        with suppress(queue.Empty):
            found.append(self._heard.get(timeout=seconds))
            while True:
                found.append(self._heard.get_nowait())
        return found
