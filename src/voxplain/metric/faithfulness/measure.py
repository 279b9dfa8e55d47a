"""What a curve is a curve of: the problem's score, the class's probability, or its soft Dice."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Protocol

from torch import Tensor

from voxplain.engine import Passes, Problem
from voxplain.engine.asked import Asked, Asking
from voxplain.engine.overlap import SoftDice
from voxplain.engine.samplers import Sampler
from voxplain.errors import InputError
from voxplain.target.functional import Functional

On = Literal["score", "probability", "soft_dice"]
ONS = ("score", "probability", "soft_dice")


class Measure(Protocol):
    """Numbers of changed images, each about some targets."""

    def scores(self, sampler: Sampler, asked: Asking, what: str = ...) -> Tensor:
        """(n, T) double; NaN for what was not asked."""

    def cost(self, asked: Asking) -> Passes:
        """Passes that `scores` will take."""


def measure(problem: Problem, on: On) -> Measure:
    """One of the three, made once per problem.

    - ``score``: the targets' own scores;
    - ``probability``: the mean of the class's probability over each target's frozen region;
    - ``soft_dice``: of the class with its frozen clean region, over the whole image.
    """
    return problem.once(("curve measure", on), lambda: _made(problem, on))


def check_measure(name: str, on: str, problem: Problem | None = None) -> None:
    """Refuse an unknown measure, and overlap where there is nothing to overlap.

    Raises:
        InputError: see above.
    """
    if on not in ONS:
        raise InputError(f"{name}: found on={on!r}, expected one of {', '.join(ONS)}")
    if problem is not None and on == "soft_dice" and problem.layout is None:
        raise InputError(
            f"{name}: on='soft_dice' compares segmentations, but {problem.model.name} does classification; "
            "use on='probability'"
        )


def _made(problem: Problem, on: On) -> Measure:
    if on == "soft_dice":
        return SoftDice(problem)
    if on == "probability":
        return Asked.about(problem, [_probability(target.functional) for target in problem.targets])
    return Asked(problem.engine)


def _probability(functional: Functional | None) -> Functional | None:
    if functional is None:
        return None
    scale = 1.0 if functional.region is None else 1.0 / functional.region.count
    return replace(functional, score="probability", scale=scale, rival=None)
