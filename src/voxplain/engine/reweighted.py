"""The same questions put to another network of the same form, such as one with other weights."""

from __future__ import annotations

import copy

from torch import nn

from voxplain.engine.gradients import GradientEngine
from voxplain.engine.problem import Problem


def with_module(problem: Problem, module: nn.Module) -> Problem:
    """The problem with another module in the place of its model's; nothing is predicted again.

    Image, targets, regions and rivals stay frozen as the given problem's network found them; windows, batch, seed and
    the count of passes are shared. What the network itself answers (clean scores, what `Problem.once` keeps) is found
    anew, but for what networks of one form share: the default layer is that of the given problem.

    Args:
        module: takes and returns what the model's own does; it is asked frozen, and otherwise left as it is.
    """
    other = problem.at(problem.image)
    other.model = problem.model.around(module)
    other.runner = copy.copy(problem.runner)
    other.runner.model = other.model
    other.engine = GradientEngine(other.runner, problem.plan, problem.dtype)
    return other
