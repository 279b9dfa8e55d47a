"""Methods as A, B, C …: which letter is which depends on the seed, the reader and the case, and on nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from voxplain.errors import InputError

if TYPE_CHECKING:
    from voxplain.viewing.folder import Folder, Item


T = TypeVar("T")


class Blinding:
    """Orders that a reader sees.

    A place in an order is that of a hash of seed, reader, case and method, so that it is the same on every machine, and
    tells nothing of other places. The names of methods never leave this class but to the notes. What a study that still
    runs makes later is not read: it would move the letters of a page that a reader has open.
    """

    def __init__(self, folder: Folder, seed: int) -> None:
        self.folder, self.seed = folder, seed
        self._methods = {
            item.number: tuple(dict.fromkeys(m for made in folder.maps(item).values() for m in made))
            for item in folder.items
        }

    def cases(self, reader: str) -> list[Item]:
        """All items that have a map, in the reader's order."""
        there = [item for item in self.folder.items if self._methods[item.number]]
        return _shuffled(there, lambda item: (self.seed, reader, "case", item.model, item.case))

    def letters(self, reader: str, item: Item) -> dict[str, str]:
        """Letter -> method, of all methods that have a map of this item."""
        order = _shuffled(
            self._methods[item.number], lambda m: (self.seed, reader, "method", item.model, item.case, m)
        )
        return {letter(n): method for n, method in enumerate(order)}

    def method(self, reader: str, item: Item, of: str) -> str:
        """The method behind a letter.

        Raises:
            InputError: there is no such letter.
        """
        found = self.letters(reader, item)
        if of not in found:
            raise InputError(f"method {of!r}: expected one of {', '.join(found)}")
        return found[of]


def letter(n: int) -> str:
    """The n-th name, from 0.

    >>> letter(0), letter(25), letter(26)
    ('A', 'Z', 'AA')
    """
    more, last = divmod(n, 26)
    return (letter(more - 1) if more else "") + chr(ord("A") + last)


def _shuffled(things: Iterable[T], key: Callable[[T], tuple[object, ...]]) -> list[T]:
    return sorted(things, key=lambda thing: hashlib.sha256(repr(key(thing)).encode()).digest())
