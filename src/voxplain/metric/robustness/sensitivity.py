"""Sensitivity: how far a map moves when the image hardly does."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from voxplain.engine import Passes, Problem
from voxplain.metric.candidate import Candidate
from voxplain.metric.figure import Figure
from voxplain.metric.interval import replicates
from voxplain.metric.metric import Figures, Metric, register
from voxplain.metric.rerun import Rerun
from voxplain.metric.robustness.changes import ZERO, changes, changes_cost, nothing, reason
from voxplain.metric.robustness.neighbours import Neighbours, Shape

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class _Sensitivity(Metric):
    """A statistic of ``‖a(x + δ) − a(x)‖ / ‖a(x)‖`` over draws of δ (Yeh et al. 2019).

    The targets stay frozen on the clean prediction. The method is run as it is, what it makes of the image (baselines,
    parts) included. δ is the same for all methods and both statistics, which share their passes.

    Args:
        draws: perturbed images; each costs the method's own passes.
        radius: of δ, as a share of each channel's range (maximum − minimum).
        shape: ``box``: every voxel uniform in ±radius; ``gaussian``: normal with this standard deviation.
    """

    draws: int = 10
    radius: float = 0.02
    shape: Shape = "box"

    family: ClassVar[str] = "robustness"
    source: ClassVar[str] = "Yeh et al. 2019, arXiv:1901.09392"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    span: ClassVar[tuple[float, float]] = (0.0, float("inf"))
    needs: ClassVar[tuple[str, ...]] = ("method",)
    nulls: ClassVar[tuple[str, ...]] = ("zero", "edges")
    apart: ClassVar[bool] = True

    def __post_init__(self) -> None:
        self.near.check(self.name)

    @property
    def near(self) -> Neighbours:
        """The perturbed images."""
        return Neighbours(self.draws, self.radius, self.shape)

    @property
    def sharing(self) -> tuple[object, ...]:
        return ("neighbours", self.near)

    @abstractmethod
    def statistic(self, relative: Numbers) -> Numbers:
        """Of relative changes (..., n) -> (...)."""

    def compute(self, problem: Problem, candidates: Sequence[Candidate]) -> Figures:
        found = {}
        for position, candidate in enumerate(candidates):
            run = Rerun(candidate)
            why = reason(problem, run)
            relative = {} if why else changes(problem, run, self.near).relative
            for t in sorted(candidate.targets):
                found[position, t] = (
                    self._figure(relative[t], run.note, problem.seed)
                    if t in relative
                    else nothing(why or ZERO)
                )
        return found

    def cost(self, problem: Problem, candidates: Sequence[Candidate]) -> Passes:
        """Of every method its own passes, times ``draws``; none where the other statistic has paid them."""
        return changes_cost(problem, candidates, self.near)

    def _figure(self, relative: Numbers, note: str, seed: int) -> Figure:
        lost = int((~np.isfinite(relative)).sum())
        if lost:
            return nothing(f"{lost} of {len(relative)} perturbed images have no finite map")
        again = replicates(len(relative), lambda i: self.statistic(relative[i]), seed=seed)
        return Figure(float(self.statistic(relative)), again, note, tuple(relative.tolist()))


@register
@dataclass(frozen=True)
class SensitivityMax(_Sensitivity):
    """``max_δ ‖a(x + δ) − a(x)‖ / ‖a(x)‖``, the largest of ``draws`` changes; it grows with ``draws``."""

    name: ClassVar[str] = "sensitivity_max"
    title: ClassVar[str] = "Sensitivity (largest)"
    reads: ClassVar[str] = (
        "largest change of the map, as a share of its size, under changes of the image too small to see; 0 is stable, "
        "which a map that ignores the image is too"
    )

    def statistic(self, relative: Numbers) -> Numbers:
        return np.asarray(relative.max(-1))


@register
@dataclass(frozen=True)
class SensitivityAverage(_Sensitivity):
    """``mean_δ ‖a(x + δ) − a(x)‖ / ‖a(x)‖`` over ``draws`` changes of the image."""

    name: ClassVar[str] = "sensitivity_average"
    title: ClassVar[str] = "Sensitivity (mean)"
    reads: ClassVar[str] = (
        "mean change of the map, as a share of its size, under changes of the image too small to see; 0 is stable, "
        "which a map that ignores the image is too"
    )

    def statistic(self, relative: Numbers) -> Numbers:
        return np.asarray(relative.mean(-1))
