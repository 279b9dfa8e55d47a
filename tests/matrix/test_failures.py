"""A network that fails half way is given back as it was, whatever method was running."""

from __future__ import annotations

import warnings

import pytest
import torch
from matrix.state import disturbed, state
from networks import random_case
from small import SMALL
from torch import Tensor, nn
from zoo.networks import ZOO

from voxplain.attribution import method, methods
from voxplain.engine import Problem
from voxplain.errors import VoxplainError
from voxplain.model import Model, Windows


class Fuse(nn.Module):
    """Fails in its n-th pass, deep inside the network."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.trigger = net, Trigger()
        self.head = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.trigger(self.net(x)))


class Trigger(nn.Module):
    left = 10**9  # of the class, so that counting does not change the module

    def forward(self, x: Tensor) -> Tensor:
        Trigger.left -= 1
        if Trigger.left < 0:
            raise ZeroDivisionError("the fuse")
        return x


def ask(name: str, problem: Problem, passes: int) -> int:
    """Calls of the network that the method made before it ended; the fuse may end it."""
    Trigger.left = passes
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            method(name, **SMALL.get(name, {})).attribute(problem)
    finally:
        used, Trigger.left = passes - Trigger.left, 10**9
    return used


@pytest.mark.parametrize("name", sorted(methods()))
def test_a_failure_in_any_pass_leaves_no_trace(name: str) -> None:
    net = disturbed(Fuse(ZOO["unet"].make(2, 0)))
    before = state(net)
    model = Model(net, spatial_dims=2, windows=Windows(roi=16, overlap=0.25))

    def problem() -> Problem:
        return Problem(model, random_case((16, 28), 2), "all+background")

    try:
        total = ask(name, problem(), 10**9)
    except VoxplainError:
        assert before.differences(state(net)) == []
        return
    for passes in sorted({0, 1, total // 2, total - 1} - {total}):
        asked = problem()
        with pytest.raises((ZeroDivisionError, VoxplainError)):
            ask(name, asked, passes)
        assert before.differences(state(net)) == [], f"failed in pass {passes + 1} of {total}"
    # and the network answers as if nothing had been
    x = torch.rand(1, 2, 16, 16)
    assert torch.isfinite(net(x)).all()
