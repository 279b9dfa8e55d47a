"""Which of the models and cases one job of an array does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from voxplain.errors import InputError

T = TypeVar("T")


def own_part(groups: Sequence[T], shard: tuple[int, int] | None) -> list[T]:
    """Every n-th of the groups.

    Args:
        groups: what is shared out.
        shard: (k, n), the k-th of n parts; parts may be counted from 1 to n or from 0 to n - 1, as arrays of jobs
            are counted both ways: part 0 is part n. None: all.

    Raises:
        InputError: no such part.

    >>> [own_part("abcde", (k, 2)) for k in (1, 2)], [own_part("abcde", (k, 2)) for k in (0, 1)]
    ([['a', 'c', 'e'], ['b', 'd']], [['b', 'd'], ['a', 'c', 'e']])
    """
    if shard is None:
        return list(groups)
    k, n = shard
    if n < 1 or not 0 <= k <= n:
        raise InputError(
            f"shard: found {k}/{n}, expected k/n with k from 1 to n, such as 2/8 (or from 0 to n - 1)"
        )
    return list(groups[(k - 1) % n :: n])
