"""What every method is, and the list of all of them."""

from __future__ import annotations

import dataclasses
import hashlib
import pkgutil
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.attribution import Answer, Attribution, judge
from voxplain.attribution.peak import PeakMemory
from voxplain.attribution.streamed import Streamed
from voxplain.engine import MapStore, Passes, Problem
from voxplain.errors import InputError, ModelError, TargetError, suggest
from voxplain.model import Model
from voxplain.target.functional import SCORES, Score
from voxplain.target.region import Region

T = TypeVar("T")


@dataclass
class Result:
    """What a method hands back; the base class adds cost, status and provenance.

    Attributes:
        maps: per target index, (C or 1, *spatial).
        scores: (T,) clean scores, NaN where absent.
        checks: per target index, named numbers that came for free.
        notes: per target index, a line for people.
        unit: what a voxel's value is.
        voxel_power: see `Attribution`.
        floor: per target index, the largest value that rounding alone could explain, where that is known.
    """

    maps: MapStore
    scores: Tensor
    unit: str
    checks: dict[int, dict[str, float]] = dataclasses.field(default_factory=dict)
    notes: dict[int, str] = dataclasses.field(default_factory=dict)
    region_values: Tensor | None = None
    regions: list[Region] | None = None
    floor: dict[int, float] = dataclasses.field(default_factory=dict)
    voxel_power: int = 1


@dataclass(frozen=True)
class Method(ABC):
    """A way to explain; its parameters are its dataclass fields.

    Class attributes tell what a caller must know, and tests hold them to it:

    - ``name`` (unique), ``aliases`` (what others call it), ``family`` (of the literature), ``title``, ``source``
      (paper), ``reads`` (how to read the map);
    - ``needs``: of ``gradients``, ``hooks`` (Python hooks on the network's operations), ``layer``, ``baseline``,
      ``regions`` (parts of the image that change together), ``channels`` (at least two), ``evidence`` (a network that
      explains itself);
    - ``spatial_dims``, ``tasks``, ``scores``: what it supports; anything else is refused with a reason;
    - ``signed``: whether values may speak against the score; ``random``: whether the seed matters;
    - ``answer``: ``map`` (of the image), ``map of the layer`` (drawn on the image) or ``image`` (a synthetic one);
    - ``trust``: the names of the checks that come for free;
    - ``trust_where``: of these, where those come that not every answer carries.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()
    score_count: ClassVar[int] = 0  # inputs of which only the scores are asked
    reads: ClassVar[str] = ""
    spatial_dims: ClassVar[tuple[int, ...]] = (2, 3)
    tasks: ClassVar[tuple[str, ...]] = ("classification", "segmentation")
    scores: ClassVar[tuple[Score, ...]] = SCORES
    signed: ClassVar[bool] = True
    random: ClassVar[bool] = False
    answer: ClassVar[str] = "map"
    trust: ClassVar[tuple[str, ...]] = ()
    trust_where: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def compute(self, problem: Problem) -> Result:
        """The method's formula, in terms of what the problem offers."""

    def streamed(self, problem: Problem) -> Streamed | None:
        """The same formula where it is a factor times one expectation of the gradient, so that no map need be kept.

        A method that has one computes its maps from it, too. Its maps have no ``floor``.
        """
        del problem
        return None

    def attribute(self, problem: Problem) -> Attribution:
        """Explain all targets of a problem.

        Returns:
            Maps with status, checks and cost. Targets that are absent keep that status; a map that is zero or
            not finite gets it.

        Raises:
            VoxplainError: what was asked cannot be done on this model or case.
        """
        self.require(problem)
        before, start = problem.passes.copy(), time.perf_counter()
        with PeakMemory(problem.model.device) as peak:
            result = self._computed(problem) if problem.present else _nothing(problem)
        rectified = bool(getattr(self, "relu", False))
        answers = judge(problem, result.maps, result.scores, result.floor, rectified=rectified)
        for t, answer in enumerate(answers):
            answer.checks.update(result.checks.get(t, {}))
            answer.note = "; ".join(filter(None, [answer.note, result.notes.get(t, "")]))
        return Attribution(
            method=self.name,
            parameters=self.parameters(),
            problem=problem,
            answers=answers,
            maps=result.maps,
            passes=problem.passes - before,
            seconds=time.perf_counter() - start,
            peak_bytes=peak.bytes,
            seed=problem.seed,
            unit=result.unit,
            region_values=result.region_values,
            regions=result.regions,
            voxel_power=result.voxel_power,
            made_by=self,
        )

    def _computed(self, problem: Problem) -> Result:
        return uncoupled(problem, self.name, lambda: self.compute(problem), lambda found: found.scores)

    def require(self, problem: Problem) -> None:
        """Find what cannot work with this problem before anything runs.

        Raises:
            VoxplainError: parameters, a model, an image or targets that do not go together.
        """
        self._require_finite()
        if problem.present:
            self.check(problem.model)
            self.check_problem(problem)

    def _require_finite(self) -> None:
        """NaN slips through comparisons, so it is refused once for all parameters."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float) and not np.isfinite(value):
                raise InputError(f"method {self.name}: found {field.name}={value}, expected a finite number")

    def cost(self, problem: Problem) -> Passes:
        """Passes that `attribute` will take, before it starts (the clean scores may be known, which saves some)."""
        return self._passes(problem, self.draw_count, self.score_count)

    @staticmethod
    def _passes(problem: Problem, draws: int, scores: int) -> Passes:
        return problem.cost(gradients=draws, scores=scores)

    @property
    def draw_count(self) -> int:
        """Inputs at which the gradient is taken."""
        return 1

    def check(self, model: Model) -> None:
        """Find what cannot work with this model before anything runs.

        Raises:
            VoxplainError: such as a layer that the network does not have.
        """
        if model.spatial_dims not in self.spatial_dims:
            raise ModelError(
                f"method {self.name}: {model.name} is {model.spatial_dims}-D; {self._supported()}"
            )
        if model.known_task is not None and model.known_task not in self.tasks:
            raise ModelError(f"method {self.name}: {model.name} does {model.known_task}; {self._supported()}")
        if "hooks" in self.needs or "layer" in self.needs:
            model.need_hooks(f"method {self.name}")

    def check_problem(self, problem: Problem) -> None:
        """Find what cannot work with this image and these targets before anything runs.

        Raises:
            VoxplainError: such as a kind of score that the method is not defined for.
        """
        for target in problem.targets:
            if target.functional is not None and target.functional.score not in self.scores:
                raise TargetError(
                    f"method {self.name}: target {target.name!r} asks for the {target.functional.score}; "
                    f"{self._supported()}"
                )
        if "channels" in self.needs and problem.image.shape[0] < 2:
            raise InputError(
                f"method {self.name}: the image has one channel, expected at least two (contrasts of MR, colours)"
            )

    def _supported(self) -> str:
        dims = " and ".join(f"{d}-D" for d in self.spatial_dims)
        return f"it supports {dims}, {' and '.join(self.tasks)}, scores {', '.join(self.scores)}"

    @classmethod
    def told_checks(cls) -> str:
        """The declared checks in one line, each with where it comes if not always."""
        where = cls.trust_where
        return ", ".join(f"{name} ({where[name]})" if name in where else name for name in cls.trust)

    def parameters(self) -> dict[str, Any]:
        """The parameters as plain values."""
        return {f.name: _plain(getattr(self, f.name)) for f in dataclasses.fields(self)}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:12]
        return f"array {value.shape} {value.dtype} sha256:{digest}"
    return repr(value)


def uncoupled(
    problem: Problem, name: str, compute: Callable[[], T], clean: Callable[[T], Tensor | None]
) -> T:
    """An answer; once more, sample by sample, where the network proves to answer differently in batches.

    Args:
        name: of the method.
        clean: the clean scores (T,) that came with an answer, if any did.
    """
    known = problem.clean_scores() if problem.knows_clean_scores else None
    result = compute()
    found = clean(result)
    if known is None or found is None or problem.runner.fixed == 1 or not _differ(problem, known, found):
        return result
    warnings.warn(
        f"{problem.model.name}: it answers differently when samples share a batch, so from now on they go one by "
        f"one; answers before {name} may be affected",
        stacklevel=4,
    )
    problem.run_one_by_one()
    return compute()


def _differ(problem: Problem, known: Tensor, found: Tensor) -> bool:
    """Whether two clean scores (T,) differ by more than the precision explains."""
    a, b = known[problem.present].double(), found[problem.present].double()
    share = 1e-3 if problem.model.precision == "fp32" else 0.05
    return bool(((a - b).abs() > share * a.abs().max() + 1e-6).any())


def _nothing(problem: Problem) -> Result:
    return Result(problem.store(), torch.full((len(problem.targets),), torch.nan, dtype=torch.float64), "")


# Of the literature, in the order in which tables list them.
FAMILIES = ("gradient", "backprop", "cam", "layer", "perturbation", "shapley", "synthesis")

_REGISTRY: dict[str, type[Method]] = {}
M = TypeVar("M", bound=type[Method])


def register(method: M) -> M:
    """Class decorator: list a method under its name."""
    _REGISTRY[method.name] = method
    return method


def methods() -> dict[str, type[Method]]:
    """All methods by name: voxplain's own, and those of packages with the entry point ``voxplain.methods``."""
    for module in pkgutil.walk_packages([str(Path(__file__).parent)], "voxplain.attribution."):
        import_module(module.name)  # its methods register themselves
    for entry in entry_points(group="voxplain.methods"):
        if entry.name not in _REGISTRY:
            try:
                _REGISTRY[entry.name] = entry.load()
            except Exception as error:  # noqa: BLE001  somebody else's package must not take ours down
                warnings.warn(
                    f"method {entry.name!r} of another package cannot be loaded: {error}", stacklevel=2
                )
    return dict(_REGISTRY)


def method(name: str, **parameters: Any) -> Method:
    """A method by name with parameters by keyword.

    Raises:
        InputError: unknown method or parameter (the closest are suggested).

    >>> method("integrated_gradients", nodes=8).parameters()["nodes"]
    8
    """
    found = find(name)
    fields = {f.name for f in dataclasses.fields(found)}
    for parameter in parameters:
        if parameter not in fields:
            raise InputError(
                f"method {found.name}: unknown parameter {parameter!r}; {suggest(parameter, fields)}"
            )
    for parameter, value in parameters.items():
        if isinstance(value, float) and not np.isfinite(value):
            raise InputError(f"method {found.name}: found {parameter}={value}, expected a finite number")
    return found(**parameters)


def find(name: str) -> type[Method]:
    """A method's class by its name, or by what others call it.

    Raises:
        InputError: unknown (the closest are suggested).

    >>> find("Saliency").name
    'gradient'
    """
    known = methods()
    key = name.strip().lower().replace("-", "_")
    if key in known:
        return known[key]
    others = {alias: m for m in known.values() for alias in vars(m).get("aliases", ())}
    if key in others:
        return others[key]
    raise InputError(f"method {name!r}: unknown; {suggest(key, [*known, *others])}")


__all__ = ["Answer", "Method", "Result", "find", "method", "methods", "register"]
