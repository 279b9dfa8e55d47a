"""Voxel-exact outlines of label pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Corner = tuple[int, int]


def outline(mask: NDArray[Any]) -> list[NDArray[np.float64]]:
    """Closed polygons along the voxel edges of a mask (rows, columns), holes included.

    Each is (P, 2) of (x, y) in pixel coordinates, where pixel (row, column) covers column ± 0.5, row ± 0.5,
    so that it lies exactly on the picture drawn with the same indices. The first corner is repeated.

    >>> outline(np.array([[False, True]]))[0].tolist()
    [[0.5, -0.5], [1.5, -0.5], [1.5, 0.5], [0.5, 0.5], [0.5, -0.5]]
    """
    steps = _edges(np.pad(np.asarray(mask, bool), 1))
    # Corners count from the padded picture's origin: corner (r, c) is the upper left of padded pixel (r, c).
    return [np.array(loop, float)[:, ::-1] - 1.5 for loop in _loops(steps)]


def _edges(padded: NDArray[np.bool_]) -> dict[_Corner, list[_Corner]]:
    """Directed voxel edges with the mask on their right hand: start corner -> end corners."""
    steps: dict[_Corner, list[_Corner]] = {}

    def add(where: NDArray[np.bool_], start: _Corner, end: _Corner) -> None:
        for r, c in np.argwhere(where).tolist():
            steps.setdefault((r + start[0], c + start[1]), []).append((r + end[0], c + end[1]))

    upper, lower = padded[:-1], padded[1:]
    add(lower & ~upper, (1, 0), (1, 1))  # top edge of a pixel of the mask, to the right
    add(upper & ~lower, (1, 1), (1, 0))  # bottom edge, to the left
    left, right = padded[:, :-1], padded[:, 1:]
    add(left & ~right, (0, 1), (1, 1))  # right edge, down
    add(right & ~left, (1, 1), (0, 1))  # left edge, up
    return steps


def _loops(steps: dict[_Corner, list[_Corner]]) -> Iterator[list[_Corner]]:
    """Follow the edges round until each is used once; where two loops touch they are kept apart."""
    while steps:
        first = next(iter(steps))
        here, loop = first, [first]
        heading = (0, 0)
        while True:
            ends = steps[here]
            following = _turn(here, heading, ends)
            ends.remove(following)
            if not ends:
                del steps[here]
            step = (following[0] - here[0], following[1] - here[1])
            if step == heading:
                loop[-1] = following  # straight on: one long edge instead of many
            else:
                loop.append(following)
            here, heading = following, step
            if here == first:
                break
        yield loop


def _turn(here: _Corner, heading: _Corner, ends: list[_Corner]) -> _Corner:
    """The next corner: at a crossing the one to the right of the heading, which stays with the same pixel."""
    right = (here[0] + heading[1], here[1] - heading[0])
    return right if right in ends else ends[0]
