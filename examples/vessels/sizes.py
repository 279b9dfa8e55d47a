"""How large the study is: a small one for any machine, and the published one for a GPU."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from vessels.networks import PUBLISHED, SMALL


@dataclass(frozen=True)
class Size:
    """What decides the networks and the cases, besides the seed.

    Attributes:
        edge: voxels along each axis of a test case; divisible by 16.
        widths: channels of the networks' levels.
        people: training phantoms.
        person: voxels along each axis of a training phantom.
        patch: voxels along each axis of a training patch; divisible by 16.
        batch: patches per step.
        steps: optimiser steps per network.
        rate: the highest learning rate.
        cases: test phantoms.
        trees: vessel trees in each phantom.
    """

    edge: int
    widths: tuple[int, ...]
    people: int
    person: int
    patch: int
    batch: int
    steps: int
    rate: float
    cases: int = 16
    trees: int = 4

    def settings(self) -> dict[str, Any]:
        """As they are read back from JSON."""
        return asdict(self) | {"widths": list(self.widths)}


SIZES = {
    "small": Size(
        edge=32, widths=SMALL, people=24, person=40, patch=32, batch=4, steps=300, rate=1e-2
    ),
    "gpu": Size(
        edge=128, widths=PUBLISHED, people=40, person=128, patch=64, batch=4, steps=2000, rate=1e-3, trees=12
    ),
}  # fmt: skip
