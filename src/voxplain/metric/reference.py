"""The plain gradient of the problem's own network: how alike maps are that depend on all of its weights."""

from __future__ import annotations

from voxplain.attribution import Attribution, Gradient
from voxplain.engine import Passes, Problem
from voxplain.errors import ModelError

GRADIENT = "gradient"
_KEY = "plain gradient"


def reference(problem: Problem) -> Attribution | None:
    """The plain gradient of all targets, once per problem; none where no gradient leads to the image."""
    return _asked(problem)[0]


def required(problem: Problem) -> Attribution:
    """The same.

    Raises:
        ModelError: no gradient leads to the image.
    """
    found, why = _asked(problem)
    if found is None:
        raise ModelError(why)
    return found


def reference_cost(problem: Problem) -> Passes:
    """Passes that `reference` will take."""
    return Passes() if problem.has_done(_KEY) else problem.cost(gradients=1)


def _asked(problem: Problem) -> tuple[Attribution | None, str]:
    def ask() -> tuple[Attribution | None, str]:
        try:
            return Gradient().attribute(problem), ""
        except ModelError as error:  # such as a network that rounds
            return None, str(error)

    return problem.once(_KEY, ask)
