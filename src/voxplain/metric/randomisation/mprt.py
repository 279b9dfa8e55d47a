"""Model parameter randomisation: a map that shows the network must change with the network's weights."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from voxplain.engine import Passes, Problem
from voxplain.errors import InputError
from voxplain.metric.candidate import Candidate
from voxplain.metric.figure import NAN, Figure
from voxplain.metric.interval import replicates
from voxplain.metric.metric import Figures, Metric, Nulls, register, with_values
from voxplain.metric.randomisation.excess import below, excess
from voxplain.metric.randomisation.likeness import Likeness
from voxplain.metric.randomisation.redraw import Draw, check_draw
from voxplain.metric.randomisation.stages import (
    ZERO,
    Found,
    Order,
    Stages,
    reason,
    stages_cost,
    stages_made,
)
from voxplain.metric.reference import GRADIENT
from voxplain.metric.rerun import Rerun

Numbers = NDArray[np.float64]
NO_GRADIENT = "no gradient of the network stands beside it, so that it is read from 0 to 1"
UNCHANGED = "cannot tell: other weights do not even change the network's own gradient"
UNDEFINED = "no map of the redrawn networks can be compared: all are zero, constant, too thin or not finite"


@dataclass(frozen=True)
class ByRandomisation(Metric):
    """A number of each map that the method gives once weights were drawn anew; the figure is its mean.

    The weights change on a copy of the network; image, targets, regions and windows stay frozen. All methods get the
    same new weights, and all metrics of this kind share their passes.
    """

    family: ClassVar[str] = "randomisation"
    needs: ClassVar[tuple[str, ...]] = ("weights", "method")
    nulls: ClassVar[tuple[str, ...]] = ("zero", "edges")
    apart: ClassVar[bool] = True

    @property
    def sharing(self) -> tuple[object, ...]:
        return ("stages", self.stages)

    @property
    @abstractmethod
    def stages(self) -> Stages:
        """Which weights are redrawn, and how often."""

    @abstractmethod
    def number(self, found: Likeness) -> float:
        """What is read from one comparison; NaN where it is not defined."""

    def compute(self, problem: Problem, candidates: Sequence[Candidate]) -> Figures:
        runs = [Rerun(c) for c in candidates]
        whys = [reason(problem, run) for run in runs]
        able = [run for run, why in zip(runs, whys, strict=True) if not why]
        made = stages_made(problem, able, self.stages) if able else {}
        return {
            (position, t): self._figure(made, run, why, t, problem.seed)
            for position, (run, why) in enumerate(zip(runs, whys, strict=True))
            for t in sorted(run.candidate.targets)
        }

    def cost(self, problem: Problem, candidates: Sequence[Candidate]) -> Passes:
        """Of every method its own passes, times stages, times draws; one for the order of the layers, one gradient."""
        return stages_cost(problem, candidates, self.stages)

    def _figure(
        self, made: dict[Hashable, list[list[Found]]], run: Rerun, why: str, target: int, seed: int
    ) -> Figure:
        if why or run.original(target) is None:
            return Figure(NAN, note=why or ZERO)
        numbers = np.array([[self._of(stage[target]) for stage in draw] for draw in made[run.key]])
        known = np.isfinite(numbers)
        if not known.any():
            return Figure(NAN, note=UNDEFINED)
        lost = (
            f"{(~known).sum()} of {known.size} maps cannot be compared and are left out"
            if not known.all()
            else ""
        )
        note = "; ".join(filter(None, [run.note, lost]))
        again = replicates(len(numbers), lambda i: _mean(numbers[i], (1, 2)), seed=seed)
        return Figure(float(_mean(numbers, (0, 1))), again, note, tuple(_mean(numbers, (0,)).tolist()))

    def _of(self, found: Likeness | None) -> float:
        return NAN if found is None else self.number(found)


@dataclass(frozen=True)
class _Mprt(ByRandomisation):
    """Likeness of the map to those of networks whose layers were redrawn (Adebayo et al. 2018), mean over stages.

    ``curve`` holds every stage, first that nearest to the output; the last of a cascade is full randomisation.

    A map tells something where its likeness is nearer to that of the plain gradient than to 1 (see
    `voxplain.metric.randomisation.excess`); where the network has no gradient, nearer to 0 than to 1.

    Args:
        order: ``cascading``: from the output backwards, in the order in which the weights are used, each stage with all
            before it; ``independent``: each group of layers alone.
        steps: at most so many stages; layers are grouped with their neighbours.
        how: new weights are a ``permutation`` of each tensor's own, or ``normal`` with its mean and standard deviation.
        draws: how often all of it is done, with other weights each time; three or more give an interval.
    """

    order: Order = "cascading"
    steps: int = 8
    how: Draw = "permutation"
    draws: int = 1

    nulls: ClassVar[tuple[str, ...]] = ("zero", "edges", GRADIENT)
    source: ClassVar[str] = "Adebayo et al. 2018, arXiv:1810.03292"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    span: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def __post_init__(self) -> None:
        if self.order not in ("cascading", "independent"):
            raise InputError(
                f"{self.name}: found order={self.order!r}, expected 'cascading' or 'independent'"
            )
        if self.steps < 1 or self.draws < 1:
            raise InputError(
                f"{self.name}: found steps={self.steps}, draws={self.draws}, expected at least 1"
            )
        check_draw(self.name, self.how)

    @property
    def stages(self) -> Stages:
        return Stages(self.order, self.steps, self.how, self.draws)

    def excess(self, figure: Figure, nulls: Nulls) -> float:
        return excess(figure, nulls.get(GRADIENT)).value

    def tells(self, figure: Figure, nulls: Nulls) -> bool | None:
        return below(self._read(figure, nulls))

    def doubt(self, figure: Figure, nulls: Nulls) -> str:
        if math.isnan(figure.value):
            return ""
        gradient = with_values(nulls).get(GRADIENT)
        beside = "0" if gradient is None else f"the gradient's {gradient.value:.2f}"
        if math.isnan(self._read(figure, nulls).value):
            return UNCHANGED
        doubt = {
            True: "",
            False: f"fails: nearer to sameness (1) than to {beside}",
            None: f"cannot tell: the draws leave open whether it is nearer to 1 or to {beside}",
        }[self.tells(figure, nulls)]
        return "; ".join(filter(None, [doubt, NO_GRADIENT if gradient is None else ""]))

    def _read(self, figure: Figure, nulls: Nulls) -> Figure:
        gradient = with_values(nulls).get(GRADIENT)
        return figure if gradient is None else excess(figure, gradient)


@register
@dataclass(frozen=True)
class Mprt(_Mprt):
    """Spearman correlation of the signed maps, over what the target can see and where either map is not zero."""

    name: ClassVar[str] = "mprt"
    title: ClassVar[str] = "Randomised weights: rank correlation"
    reads: ClassVar[str] = (
        "rank correlation with the maps of networks with other weights; 1: the map does not show this network, "
        "about 0: it does"
    )

    def number(self, found: Likeness) -> float:
        return found.rank


@register
@dataclass(frozen=True)
class MprtAbsolute(_Mprt):
    """Spearman correlation of the maps' absolute values, over the same voxels: where they are large, whatever their sign."""

    name: ClassVar[str] = "mprt_absolute"
    title: ClassVar[str] = "Randomised weights: rank correlation of absolute values"
    reads: ClassVar[str] = (
        "rank correlation of where maps of networks with other weights are large; 1: the map does not show this "
        "network, about 0: it does"
    )

    def number(self, found: Likeness) -> float:
        return found.absolute


@register
@dataclass(frozen=True)
class MprtSsim(_Mprt):
    """Structural similarity of the maps' absolute values, each over its largest."""

    name: ClassVar[str] = "mprt_ssim"
    title: ClassVar[str] = "Randomised weights: structural similarity"
    reads: ClassVar[str] = (
        "how alike pictures of the map look once the network has other weights; 1: the same picture, so it does not "
        "show this network"
    )

    def number(self, found: Likeness) -> float:
        return found.ssim


def _mean(values: Numbers, axes: tuple[int, ...]) -> Numbers:
    """Mean of the finite values along axes; NaN where there are none."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, values, 0.0).sum(axes) / known.sum(axes))
