"""Radii of shells, read from their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BETWEEN = re.compile(r"[\d.e+]+-([\d.e+]+) (\S+)")
_BEYOND = re.compile(r">([\d.e+]+) (\S+)")


@dataclass(frozen=True)
class Edges:
    """Outer radii of shells.

    Attributes:
        outer: None where the names tell no radii.
        open_end: the last one holds all that is left; its radius is made up, as far beyond as the one before is wide.
    """

    outer: tuple[float, ...] | None
    unit: str
    open_end: bool


def edges_of(names: Sequence[str]) -> Edges:
    """Radii of shells as `Shells.names` calls them.

    >>> edges_of(("inside", "0-5 mm", "5-20 mm", ">20 mm"))
    Edges(outer=(0.0, 5.0, 20.0, 35.0), unit='mm', open_end=True)
    >>> edges_of(("near", "far")).outer is None
    True
    """
    outer: list[float] = []
    unit, open_end = "", False
    for n, name in enumerate(names):
        if name == "inside" and n == 0:
            outer.append(0.0)
        elif found := _BETWEEN.fullmatch(name):
            outer.append(float(found.group(1)))
            unit = found.group(2)
        elif (found := _BEYOND.fullmatch(name)) and n == len(names) - 1 and outer:
            low = float(found.group(1))
            before = outer[-2] if len(outer) > 1 else 0.0
            outer.append(low + max(low - before, 1.0))
            unit, open_end = found.group(2), True
        else:
            return Edges(None, "", False)
    return Edges(tuple(outer), unit, open_end)
