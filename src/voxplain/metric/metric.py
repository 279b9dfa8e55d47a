"""What every metric is, and the list of all of them."""

from __future__ import annotations

import dataclasses
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from voxplain.engine import Passes, Problem
from voxplain.errors import InputError, suggest
from voxplain.metric.candidate import Candidate
from voxplain.metric.figure import Figure

# (position of the candidate, target index) -> what the metric says
Figures = Mapping[tuple[int, int], Figure]
FAMILIES = ("axiom", "faithfulness", "robustness", "localisation", "complexity", "randomisation", "agreement")


@dataclass(frozen=True)
class Metric(ABC):
    """A way to judge maps; its parameters are its dataclass fields.

    Class attributes tell what a caller must know, and tests hold them to it:

    - ``name`` (unique), ``family`` (see `FAMILIES`), ``title``, ``source`` (paper), ``reads`` (how to read it);
    - ``better``: ``higher``, ``lower``, or ``neither`` where the value only describes;
    - ``span``: least and largest value;
    - ``needs``: of ``mask`` (where the truth lies), ``weights`` (a copy of the network with other weights),
      ``method`` (the method runs again, as often as the metric asks);
    - ``nulls``: the nulls that it is told beside; a null that a metric cannot rank says nothing.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    reads: ClassVar[str]
    better: ClassVar[Literal["higher", "lower", "neither"]]
    span: ClassVar[tuple[float, float]]
    needs: ClassVar[tuple[str, ...]] = ()
    nulls: ClassVar[tuple[str, ...]] = ("zero", "random", "edges")

    @abstractmethod
    def compute(self, problem: Problem, candidates: Sequence[Candidate]) -> Figures:
        """Judge all candidates at once, so that what they are judged by is paid once."""

    @abstractmethod
    def cost(self, problem: Problem, candidates: Sequence[Candidate]) -> Passes:
        """Passes that `compute` will take, the nulls' included."""

    def check(self, problem: Problem) -> None:  # noqa: B027  most metrics can judge every problem
        """Find what cannot be judged before anything runs.

        Raises:
            VoxplainError: such as a localisation metric without a mask.
        """

    def parameters(self) -> dict[str, Any]:
        """The parameters as plain values."""
        return dataclasses.asdict(self)


_REGISTRY: dict[str, type[Metric]] = {}
M = TypeVar("M", bound=type[Metric])


def register(metric: M) -> M:
    """Class decorator: list a metric under its name."""
    _REGISTRY[metric.name] = metric
    return metric


def metrics() -> dict[str, type[Metric]]:
    """All metrics by name."""
    for module in pkgutil.walk_packages([str(Path(__file__).parent)], "voxplain.metric."):
        import_module(module.name)  # its metrics register themselves
    return dict(_REGISTRY)


def metric(name: str, **parameters: Any) -> Metric:
    """A metric by name with parameters by keyword.

    Raises:
        InputError: unknown metric or parameter (the closest are suggested).
    """
    known, key = metrics(), name.strip().lower().replace("-", "_")
    if key not in known:
        raise InputError(f"metric {name!r}: unknown; {suggest(key, known)}")
    fields = {f.name for f in dataclasses.fields(known[key])}
    for parameter in parameters:
        if parameter not in fields:
            raise InputError(f"metric {key}: unknown parameter {parameter!r}; {suggest(parameter, fields)}")
    return known[key](**parameters)
