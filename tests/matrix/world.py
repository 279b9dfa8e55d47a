"""The problems that a setup's methods share, and the proof that an attribution says something."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from matrix.cells import Setup
from matrix.state import State, disturbed, state
from torch import Tensor, nn
from zoo.networks import ZOO

from voxplain.attribution.attribution import Attribution
from voxplain.engine import Problem
from voxplain.model import Model, Windows

NUDGE = 1 + 1e-6


class World:
    """One setup, three times: as it is, with the image times 1 + 10⁻⁶, and with the weights drawn again."""

    def __init__(self, setup: Setup) -> None:
        self.setup, self.entry = setup, ZOO[setup.network]
        if self.entry.data is not None and not self.entry.data.is_file():
            pytest.skip(f"the trained network is not here ({self.entry.data}); set VOXPLAIN_DATA")
        self.net = disturbed(self.entry.make(setup.dims, 0))
        self.before: State = state(self.net)
        self.whole = self.problem(self.net)
        self.nudged = self.problem(self.entry.make(setup.dims, 0), NUDGE)
        self.redrawn = self.problem(self.entry.make(setup.dims, 1))

    def problem(self, net: nn.Module, scale: float = 1.0, seed: int = 0) -> Problem:
        """A new problem about this setup's image."""
        entry, dims = self.entry, self.setup.dims
        shape = entry.wide[dims] if self.setup.windows else entry.shapes[dims]
        windows = None
        if self.setup.windows:
            windows = Windows(roi=entry.shapes[dims], overlap=0.25, blend="gaussian")
        model = Model(net, spatial_dims=dims, head=entry.head, windows=windows, name=self.setup.network)
        return Problem(model, entry.case(shape, scale), entry.targets(shape), seed=seed)

    def changed(self) -> list[str]:
        """What of the user's network is not as it was."""
        return self.before.differences(state(self.net))


@lru_cache(maxsize=2)
def world(setup: Setup) -> World:
    """A worker keeps the last ones, since neighbouring cells share them."""
    return World(setup)


def explained(found: Attribution) -> list[int]:
    """Targets with a map worth looking at."""
    return [t for t, answer in enumerate(found.answers) if answer.status == "ok"]


def alike(a: Tensor, b: Tensor) -> float:
    """Correlation of two maps; 0 where one is constant."""
    a, b = a.double().flatten() - a.double().mean(), b.double().flatten() - b.double().mean()
    size = float(a.norm() * b.norm())
    return float(a @ b) / size if size else 0.0


def differ(a: Tensor, b: Tensor) -> bool:
    """Whether two maps show different things.

    Maps of no more than a few values (one per channel, or inside and outside of a region) have no pattern that could
    correlate, so their values are compared.
    """
    if a.shape == b.shape and max(_levels(a), _levels(b)) <= max(2, a.shape[0]):
        return float((a - b).norm()) > 1e-3 * float(a.norm())
    return alike(a, b) < 0.999


def _levels(values: Tensor) -> int:
    """Different values, up to rounding."""
    ordered = values.double().flatten().sort().values
    return 1 + int((ordered.diff() > 1e-4 * float(ordered.abs().max())).sum())


def prove_a_map(found: Attribution, t: int, *, constant: bool = False) -> None:
    """Of the right shape, finite, neither zero nor constant."""
    values, image = found.values(t), found.problem.image
    assert values.shape[1:] == image.shape[1:]
    assert values.shape[0] in (1, image.shape[0])
    assert torch.isfinite(values).all()
    largest = float(values.abs().max())
    assert largest > 0
    spread = float(values.double().std())
    assert (spread > 1e-5 * largest) != constant, f"spread {spread} about {float(values.double().mean())}"
