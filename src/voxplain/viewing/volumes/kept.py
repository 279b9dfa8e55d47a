"""What was made is kept until others need the room; what two ask for at once is made once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any, TypeVar

ROOM = 1 << 30  # bytes
Made = TypeVar("Made")


class Kept:
    """A cache for threads.

    Args:
        room: bytes of all that is kept; the least recently used goes first. What is larger is made and not kept.
    """

    def __init__(self, room: int = ROOM) -> None:
        self.room = room
        self._lock = Lock()
        self._known: OrderedDict[Hashable, tuple[Future[Any], int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Made], size: Callable[[Made], int]) -> Made:
        """What is kept under a key, or what `make` gives; an error is raised to all who wait, and forgotten."""
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
            else:
                mine: Future[Any] = Future()
                self._known[key] = (mine, 0)
        if known is not None:
            found: Made = known[0].result()
            return found
        try:
            made = make()
        except BaseException as error:
            with self._lock:
                self._known.pop(key, None)
            mine.set_exception(error)
            raise
        with self._lock:
            self._known[key] = (mine, size(made))
            self._make_room(key)
        mine.set_result(made)
        return made

    def _make_room(self, newest: Hashable) -> None:
        total = sum(size for _, size in self._known.values())
        for key, (future, size) in list(self._known.items()):
            if total <= self.room:
                return
            if key != newest and not future.done():
                continue
            del self._known[key]
            total -= size
