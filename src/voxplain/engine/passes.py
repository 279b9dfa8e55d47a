"""Counting the unit of work: one sample through the network, forwards or backwards."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise


@dataclass
class Passes:
    """Samples (windows of one input) that went through the network."""

    forward: int = 0
    backward: int = 0

    def __add__(self, other: Passes) -> Passes:
        return Passes(self.forward + other.forward, self.backward + other.backward)

    def __sub__(self, other: Passes) -> Passes:
        return Passes(self.forward - other.forward, self.backward - other.backward)

    def copy(self) -> Passes:
        return Passes(self.forward, self.backward)

    def __str__(self) -> str:
        return f"{self.forward} forward and {self.backward} backward passes"


def chunks(count: int, size: int, *, exact: bool = False) -> list[slice]:
    """Cut ``count`` items into runs of about ``size`` without a lone last one.

    A single sample falls onto slow 3-D convolutions on the CPU, so a remainder of one joins its neighbour.

    Args:
        exact: no run is longer than ``size``.

    >>> [(s.start, s.stop) for s in chunks(7, 2)]
    [(0, 3), (3, 5), (5, 7)]
    >>> [(s.start, s.stop) for s in chunks(7, 2, exact=True)]
    [(0, 2), (2, 4), (4, 6), (6, 7)]
    """
    if count <= 0:
        return []
    if exact:
        return [slice(a, min(a + size, count)) for a in range(0, count, size)]
    runs = max(-(-count // size), 1)
    if size > 1 and runs > 1 and count % size == 1:
        runs -= 1
    base, extra = divmod(count, runs)
    stops = [0]
    for run in range(runs):
        stops.append(stops[-1] + base + (run < extra))
    return [slice(a, b) for a, b in pairwise(stops)]
