"""Which method is asked about which network, and in which shape: every method about every network in every shape.

The shapes are 2-D and 3-D, whole image and windows, as far as the network exists in them. Where one pass takes a good
part of a second, only a few methods of few passes are asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from zoo.networks import ZOO

from voxplain.attribution import methods

# asked where a pass takes a good part of a second
QUICK = ("gradient", "grad_cam")


@dataclass(frozen=True)
class Setup:
    """A network in one shape."""

    network: str
    dims: int
    windows: bool = False

    @property
    def shape(self) -> str:
        return f"{self.dims}-D" + (" windows" if self.windows else "")

    @property
    def question(self) -> str:
        """What is asked, without the network's name."""
        task = ZOO[self.network].task
        return f"{self.dims}-D {'windowed ' if self.windows else ''}{task}"


@dataclass(frozen=True)
class Cell:
    """One method on one network in one shape."""

    method: str
    setup: Setup

    @property
    def key(self) -> tuple[str, str, str]:
        return self.method, self.setup.network, self.setup.shape


def setups(network: str) -> list[Setup]:
    """All shapes of a network."""
    entry = ZOO[network]
    return [
        Setup(network, dims, windows)
        for dims in entry.dims
        for windows in (False, True)
        if not windows or dims in entry.wide
    ]


def chosen(method: str, network: str) -> list[Setup]:
    """The shapes in which this method is asked about this network."""
    slow = ZOO[network].slow
    return [s for s in setups(network) if s.dims not in slow or method in QUICK]


@cache
def cells() -> tuple[Cell, ...]:
    """Neighbours share a setup, so that a worker builds its problems once."""
    found = [Cell(m, s) for m in sorted(methods()) for n in ZOO for s in chosen(m, n)]
    order = {s: i for i, s in enumerate(s for n in ZOO for s in setups(n))}
    return tuple(sorted(found, key=lambda c: (order[c.setup], c.method)))
