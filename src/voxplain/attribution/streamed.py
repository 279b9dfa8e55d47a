"""Methods whose map is a factor times one expectation of the gradient: they need not keep a whole map to sum it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from voxplain.engine import Gradients, Problem
from voxplain.engine.backward import Backward
from voxplain.engine.banded import Take
from voxplain.engine.gradients import Add
from voxplain.engine.samplers import Sampler


@dataclass(frozen=True, eq=False)
class Streamed:
    """``A = times ⊙ Σ over draws of factor × gradient``: the one formula behind a method's maps and its region tables.

    Attributes:
        make: builds the draws.
        what: is told as progress.
        times: (C, *spatial) factor on the prepared grid; 1 where missing.
        halves: whether the agreement of even and odd draws says something.
        independent: whether the draws are independent and all of one distribution, so that their spread is the error of
            their mean. (Stratified draws are not: they err less than they spread.)
        at_image: whether the first draw is the image itself, so that its scores are the clean ones.
        backward: another backward pass than the plain gradient's.
        done: called after the passes, to warn of what was met on the way.
    """

    make: Callable[[Problem], Sampler]
    what: str
    times: Tensor | None = None
    halves: bool = False
    independent: bool = False
    at_image: bool = True
    backward: Backward | None = None
    done: Callable[[], None] = lambda: None

    def maps(self, problem: Problem) -> Gradients:
        """Whole maps of all targets."""
        found = problem.gradient(self.make, halves=self.halves, what=self.what, backward=self.backward)
        self.done()
        if (times := self.times) is not None:
            found.maps.transform(lambda _, g: times * g)
        return found

    def banded(self, problem: Problem, take: Take, *, groups: int = 1, each: Add | None = None) -> Tensor:
        """The gradient slab by slab, not yet multiplied by ``times``, see `Problem.banded`; (draws, T) scores."""
        scores = problem.banded(
            self.make, take, groups=groups, each=each, what=self.what, backward=self.backward
        )
        self.done()
        return scores
