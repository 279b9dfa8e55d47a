"""A method's maps before they are made: enough of them to tell what judging will cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from voxplain.attribution import Answer, Attribution
from voxplain.engine import Passes
from voxplain.metric import Candidate

if TYPE_CHECKING:
    from voxplain.attribution.method import Method
    from voxplain.engine import Problem


class _Costed:
    """A method whose cost is known, so that it need not be found out again for every metric that runs it."""

    def __init__(self, method: Method, cost: Passes) -> None:
        self._method, self._cost = method, cost

    def __getattr__(self, name: str) -> Any:
        return getattr(self._method, name)

    def cost(self, _: Problem) -> Passes:
        return self._cost


def planned(name: str, method: Method, cost: Passes, problem: Problem) -> Candidate:
    """A candidate whose maps are noise, and which says that this method made them at this cost."""
    maps = problem.store()
    answers = [Answer(t, "ok" if t.status == "ok" else t.status, float("nan")) for t in problem.targets]
    stand_in = Attribution(
        method=name,
        parameters={},
        problem=problem,
        answers=answers,
        maps=maps,
        passes=Passes(),
        seconds=0.0,
        peak_bytes=0,
        seed=problem.seed,
        unit="",
        made_by=cast("Method", _Costed(method, cost)),
    )
    return Candidate(
        name, lambda _: _noise(problem), frozenset(problem.present), "rank", attribution=stand_in
    )


def _noise(problem: Problem) -> Tensor:
    """The same for every method: only that no two voxels tie matters."""

    def drawn() -> Tensor:
        return torch.rand((1, *problem.spatial_shape), generator=torch.Generator().manual_seed(0))

    return problem.once("planned maps", drawn)
