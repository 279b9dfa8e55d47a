"""Sequences whose items are made when they are looked at, so that a cohort larger than the memory can be gone through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

T = TypeVar("T")


class Lazy(Sequence[T], Generic[T]):
    """Items by their place; none is kept here.

    Args:
        make: the item at a place.
        places: which ones, in order.

    >>> squares = Lazy(lambda i: i * i, range(5))
    >>> list(squares.take([4, 1])), len(squares)
    ([16, 1], 5)
    """

    def __init__(self, make: Callable[[int], T], places: Sequence[int]) -> None:
        self._make, self._places = make, places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Lazy[T]: ...
    def __getitem__(self, index: int | slice) -> T | Lazy[T]:
        if isinstance(index, slice):
            return Lazy(self._make, self._places[index])
        return self._make(self._places[index])

    def __iter__(self) -> Iterator[T]:
        return (self._make(place) for place in self._places)

    def take(self, indices: Sequence[int]) -> Lazy[T]:
        """Some of the items."""
        return Lazy(self._make, [self._places[int(i)] for i in indices])
