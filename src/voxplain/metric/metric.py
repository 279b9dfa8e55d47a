"""What every metric is, and the list of all of them."""

from __future__ import annotations

import dataclasses
import json
import math
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
from voxplain.metric.figure import NAN, Figure

# (position of the candidate, target index) -> what the metric says
Figures = Mapping[tuple[int, int], Figure]
Nulls = Mapping[str, Figure]
FAMILIES = ("axiom", "faithfulness", "robustness", "localisation", "complexity", "randomisation", "agreement")
IN_WORDS = {
    "zero": "a map of zeros",
    "constant": "a constant map",
    "random": "a random map",
    "edges": "a map of the image's edges",
}


@dataclass(frozen=True)
class Metric(ABC):
    """A way to judge maps; its parameters are its dataclass fields.

    Class attributes tell what a caller must know, and tests hold them to it:

    - ``name`` (unique), ``family`` (see `FAMILIES`), ``title``, ``source`` (paper), ``reads`` (how to read it);
    - ``better``: ``higher``, ``lower``, or ``neither`` where the value only describes;
    - ``span``: least and largest value;
    - ``needs``: of ``mask`` (where the truth lies), ``weights`` (a copy of the network with other weights),
      ``method`` (the method runs again, as often as the metric asks);
    - ``nulls``: the nulls that it is told beside; a null that a metric cannot rank says nothing;
    - ``apart``: whether a candidate's passes are its own, so that candidates can be judged in processes of their own at
      almost no extra cost; not where maps share what they are judged by, or are compared with each other.
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
    apart: ClassVar[bool] = False

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

    @property
    def sharing(self) -> tuple[object, ...]:
        """What it asks the network for: metrics with the same, judged on one problem, pay for it once."""
        return (self.name, self.told_parameters)

    def tells(self, figure: Figure, nulls: Nulls) -> bool | None:
        """Whether a map's figure is better than every null's by more than the draws explain.

        Returns:
            None where the metric only describes, or there is nothing to compare.
        """
        known = with_values(nulls)
        if math.isnan(figure.value) or self.better == "neither" or not known:
            return None
        return not self.unbeaten(figure, known)

    def doubt(self, figure: Figure, nulls: Nulls) -> str:
        """Why a figure tells nothing; empty where it does, or where nothing is to be told."""
        if self.tells(figure, nulls) is not False:
            return ""
        left = self.unbeaten(figure, with_values(nulls))
        best = max if self.better == "higher" else min
        name = best(left, key=lambda n: left[n].bar(higher=self.better == "higher").value)
        return f"cannot tell: {IN_WORDS.get(name, f'the null {name!r}')} is as good"

    def unbeaten(self, figure: Figure, nulls: Nulls) -> Nulls:
        """The nulls that a figure does not beat."""
        higher = self.better == "higher"
        return {name: f for name, f in nulls.items() if not figure.beats(f, higher=higher)}

    def excess(self, figure: Figure, nulls: Nulls) -> float:
        """How far a figure lies from a reference towards the worst; NaN for metrics that have no reference."""
        return NAN

    def parameters(self) -> dict[str, Any]:
        """The parameters as plain values."""
        return dataclasses.asdict(self)

    @property
    def told_parameters(self) -> str:
        """The parameters in one line, the same for the same parameters."""
        return json.dumps(self.parameters(), sort_keys=True, default=str)


def with_values(nulls: Nulls) -> Nulls:
    """Those that have a value."""
    return {name: f for name, f in nulls.items() if not math.isnan(f.value)}


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
