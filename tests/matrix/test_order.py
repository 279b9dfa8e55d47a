"""No method leaves anything that a later one could notice: every order gives bit-identical maps."""

from __future__ import annotations

import hashlib
import os
import random
import warnings
from collections.abc import Callable, Iterable
from functools import cache

import pytest
import torch
from matrix.cells import Setup
from matrix.state import State, disturbed, state
from small import SMALL
from torch import nn
from zoo.networks import ZOO

from voxplain.attribution import method, methods
from voxplain.engine import Problem
from voxplain.errors import VoxplainError
from voxplain.model import Model

# PReLU and InstanceNorm; one in-place ReLU used twice per block
SETUPS = [Setup("unet", 2), Setup("resnet18_torchvision", 2)]
IDS = [s.network for s in SETUPS]
SHORT = [SETUPS[0], pytest.param(SETUPS[1], marks=pytest.mark.long)]
ORDERS = 3 if os.environ.get("VOXPLAIN_MATRIX_ALL") else 1  # of each kind


def answer(name: str, problem: Problem) -> str:
    """A digest of all maps and statuses of a method, or why it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = method(name, **SMALL.get(name, {})).attribute(problem)
        except VoxplainError as error:
            return str(error)
    digest = hashlib.sha256(repr([a.status for a in found.answers]).encode())
    for t in problem.present:
        digest.update(found.maps[t].contiguous().numpy().tobytes())
    return digest.hexdigest()


@cache
def alone(setup: Setup) -> dict[str, str]:
    """Every method on a network, problem and random state of its own."""
    found = {}
    for name in methods():
        torch.manual_seed(0)
        found[name] = answer(name, fresh(setup))
    return found


def fresh(setup: Setup, net: nn.Module | None = None) -> Problem:
    entry, shape = ZOO[setup.network], ZOO[setup.network].shapes[setup.dims]
    net = disturbed(entry.make(setup.dims, 0)) if net is None else net
    model = Model(net, spatial_dims=setup.dims, name=setup.network)
    return Problem(model, entry.case(shape), entry.targets(shape))


def order(seed: int) -> list[str]:
    names = sorted(methods())
    random.Random(seed).shuffle(names)
    return names


@pytest.mark.long
@pytest.mark.parametrize("seed", range(ORDERS))
@pytest.mark.parametrize("setup", SETUPS, ids=IDS)
def test_any_order_on_one_network_gives_the_same_maps(setup: Setup, seed: int) -> None:
    """One network, a new problem for each method."""
    net = disturbed(ZOO[setup.network].make(setup.dims, 0))
    check(setup, order(seed), lambda: fresh(setup, net), net, state(net))


@pytest.mark.parametrize("seed", range(3, 3 + ORDERS))
@pytest.mark.parametrize("setup", SHORT, ids=IDS)
def test_any_order_on_one_problem_gives_the_same_maps(setup: Setup, seed: int) -> None:
    """What a problem remembers (clean scores, the default layer, parts) changes no answer."""
    net = disturbed(ZOO[setup.network].make(setup.dims, 0))
    before = state(net)
    problem = fresh(setup, net)
    check(setup, order(seed), lambda: problem, net, before)


def check(
    setup: Setup, names: Iterable[str], problem: Callable[[], Problem], net: nn.Module, before: State
) -> None:
    expected = alone(setup)
    for name in names:
        torch.manual_seed(len(name))
        found = answer(name, problem())
        assert found == expected[name], f"{name} gives another map after others"
        assert before.differences(state(net)) == [], name


def test_the_digest_sees_one_bit() -> None:
    problem = fresh(SETUPS[0])
    first = answer("gradient", problem)
    problem.image[0, 3, 3] *= 1 + 2**-20
    problem.padded = problem.pad(problem.image)
    assert answer("gradient", problem) != first
