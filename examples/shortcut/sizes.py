"""How large the cohort, the images and the training are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from shortcut.networks import SMALL


@dataclass(frozen=True)
class Size:
    """What decides networks and cases, besides the seed.

    Attributes:
        shape: voxels along R, A, S; divisible by 8.
        spacing: their edges (mm).
        widths: channels of the networks' levels.
        people: patients to train on; the same for both networks.
        batch: patients per step.
        steps: optimiser steps per network.
        rate: the highest learning rate.
        cases: patients of the cohort that is explained; a multiple of 16 has as many of each kind at both sites.
    """

    shape: tuple[int, int, int] = (32, 24, 24)
    spacing: tuple[float, float, float] = (11.0, 11.0, 10.0)
    widths: tuple[int, ...] = SMALL
    people: int = 128
    batch: int = 4
    steps: int = 400
    rate: float = 1e-2
    cases: int = 32

    def settings(self) -> dict[str, Any]:
        """As they are read back from JSON."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
