"""A copy of the network whose weights are drawn anew, layer by layer."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxplain.engine import Problem
from voxplain.engine.reweighted import with_module
from voxplain.engine.weight_order import weights
from voxplain.errors import InputError, ModelError

SALT = 0x3A9D
Draw = Literal["permutation", "normal"]


class Redrawn:
    """The problem's questions to a copy of its network, of which any layers have new weights.

    A new weight depends on the problem's seed, the number of the draw and the tensor only: a layer has the same new
    weights whichever others are redrawn with it.

    Args:
        how: ``permutation`` of each tensor's own values, or ``normal`` numbers with its mean and standard deviation;
            running variances, which must stay positive, are permuted either way.

    Raises:
        ModelError: the network cannot be copied.
    """

    def __init__(self, problem: Problem, how: Draw) -> None:
        self.how, self.seed = how, problem.seed
        try:
            module = copy.deepcopy(problem.model.module)
        except Exception as error:  # whatever the user's modules hold
            raise ModelError(
                f"{problem.model.name}: the network cannot be copied, so that no copy can have other weights ({error})"
            ) from error
        self.problem = with_module(problem, module)
        self.own = {name: t.detach() for name, t in weights(problem).items()}
        self.new = weights(self.problem)

    def at(self, redrawn: Collection[str], draw: int) -> Problem:
        """The problem with these layers redrawn and all others as they were; valid until the next call."""
        with torch.no_grad():
            for number, (name, own) in enumerate(self.own.items()):
                if layer_of(name) in redrawn:
                    rng = np.random.default_rng([self.seed, draw, number, SALT])
                    self.new[name].copy_(self._drawn(name, own, rng))
                else:
                    self.new[name].copy_(own)
        return self.problem.at(self.problem.image)

    def _drawn(self, name: str, own: Tensor, rng: np.random.Generator) -> Tensor:
        values = own.cpu().double().flatten().numpy()
        if self.how == "permutation" or name.endswith("running_var"):
            values = rng.permutation(values)
        else:
            values = values.mean() + values.std() * rng.standard_normal(len(values))
        return torch.from_numpy(values).reshape(own.shape).to(own)


def check_draw(name: str, how: str) -> None:
    """Refuse an unknown way to draw.

    Raises:
        InputError: with the known ones.
    """
    if how not in get_args(Draw):
        raise InputError(f"{name}: found how={how!r}, expected {' or '.join(map(repr, get_args(Draw)))}")


def layers(problem: Problem) -> list[str]:
    """Layers that can be redrawn, in order of registration: those with a weight tensor that is not one number."""
    found = {layer_of(name): None for name, t in weights(problem).items() if not _constant(t)}
    return list(found)


def layer_of(weight: str) -> str:
    """The module that owns a weight; a parametrized one owns what its weights are made of.

    >>> layer_of("down.0.conv.weight"), layer_of("conv.parametrizations.weight.original0"), layer_of("scale")
    ('down.0.conv', 'conv', '')
    """
    return weight.rpartition(".")[0].partition(".parametrizations")[0]


def groups(names: list[str], steps: int) -> list[list[str]]:
    """Names in the same order, in at most ``steps`` groups of about as many.

    >>> groups(list("abcde"), 3)
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    cuts: list[NDArray[np.intp]] = np.array_split(np.arange(len(names)), min(steps, len(names)))
    return [[names[i] for i in cut] for cut in cuts]


def _constant(t: Tensor) -> bool:
    return bool((t == t.flatten()[0]).all())
