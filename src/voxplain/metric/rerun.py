"""A candidate's maps once more, of another image or another network: for metrics that judge the method itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from voxplain.attribution import Attribution, Gradient
from voxplain.attribution.method import Method
from voxplain.engine import Passes, Problem
from voxplain.metric.candidate import Candidate
from voxplain.metric.nulls import RANDOM, kind, null

SAME_SEED = "the method draws at random: every run has the map's own seed, so that no other draw is taken for a change"


@dataclass(frozen=True)
class Rerun:
    """A way to make a candidate's maps again.

    Attributes:
        candidate: whose.
        method: what made the maps; none for a null that asks no network, and where the map does not say.
        key: the same for candidates whose maps come about in the same way; whoever keeps it must keep the method, too.
        refused: why it cannot run again; empty where it can.
    """

    candidate: Candidate

    @property
    def key(self) -> Hashable:
        if self.candidate.knows_nothing:
            return ("null", self.candidate.name)
        # the plain gradient has no parameters, and is asked for beside every method
        return ("plain gradient",) if type(self.method) is Gradient else ("method", id(self.method))

    @property
    def refused(self) -> str:
        if self.candidate.knows_nothing:
            return ""
        if self.method is None:
            return "the map does not say which method made it, so that none can run again"
        if self.method.answer == "image":
            return f"{self.method.name} answers a synthetic image, not a map of this one"
        return ""

    @property
    def note(self) -> str:
        """What is to be said beside every figure."""
        return SAME_SEED if self.method is not None and self.method.random else ""

    def original(self, target: int) -> Tensor | None:
        """The map that is judged; none where it is zero, or nothing but rounding."""
        found = self.candidate.attribution
        if found is not None and found.answers[target].status != "ok":
            return None
        values = self.candidate.values(target)
        return values if bool((values != 0).any()) else None

    def at(self, problem: Problem) -> Callable[[int], Tensor | None]:
        """The maps of another problem, whose answers of `Problem.once` must be its own: target -> map.

        None where a map is not finite; zeros where it is nothing but rounding.
        """
        if self.candidate.knows_nothing:
            # noise is drawn for the image that is explained; that of another image is the same
            random = kind(self.candidate.name) == RANDOM
            return self.candidate.values if random else null(self.candidate.name, problem).values
        assert self.method is not None
        return partial(_map, self.method.attribute(problem))

    def cost(self, problem: Problem) -> Passes:
        """Passes that `at` will take."""
        return Passes() if self.method is None or self.refused else self.method.cost(problem)

    @property
    def method(self) -> Method | None:
        found = self.candidate.attribution
        return found.made_by if found is not None else None


def _map(found: Attribution, target: int) -> Tensor | None:
    status = found.answers[target].status
    if status not in ("ok", "zero"):
        return None
    values = found.values(target)
    return values if status == "ok" else torch.zeros_like(values)
