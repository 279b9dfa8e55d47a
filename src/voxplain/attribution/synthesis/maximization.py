"""Images made for the network: what a class, or a feature, looks like to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.method import Method, Result, register
from voxplain.attribution.synthesis.image import Adam, Movement, Painting
from voxplain.engine import Passes, Problem
from voxplain.engine.objective import LayerObjective, Objective, TargetObjective
from voxplain.errors import InputError
from voxplain.model import Model


@register
@dataclass(frozen=True)
class ActivationMaximization(Method):
    """argmax over images of the target's score (or of a layer's channel), from noise, as a spectrum.

    Erhan et al. 2009, "Visualizing higher-layer features of a deep network"; spectrum, correlated channels and
    movements of Olah et al. 2017, "Feature visualization", in two and in three dimensions. Adam climbs the score of
    the stitched network; for a segmentation that is the class's score over the target's region, which stays frozen
    on the clean prediction. Values stay within the prepared image's own range. The result is an image, not a map of
    the image. ``score_start``, ``score_reached`` and ``score_clean`` are the objective at the noise, at the result and
    at the user's image. All targets start from the same noise and move alike.

    Args:
        steps: gradient steps.
        rate: Adam's learning rate, in logits of the value range.
        layer: dotted name of a layer, to maximise the mean of its ``channel`` instead of the target's score.
        channel: which.
        jitter, rotate, zoom: largest random movement before every step, in voxels, degrees and shares; what holds
            only without them is no feature.
        decorrelate: give channels the correlations that they have in the prepared image.
        contrast: of the starting noise, in logits.
        low, high: bounds of the values; each channel's minimum and maximum by default.
    """

    steps: int = 128
    rate: float = 0.05
    layer: str | None = None
    channel: int | None = None
    jitter: int = 2
    rotate: float = 5.0
    zoom: float = 0.05
    decorrelate: bool = True
    contrast: float = 0.1
    low: float | None = None
    high: float | None = None

    name: ClassVar[str] = "activation_maximization"
    family: ClassVar[str] = "synthesis"
    title: ClassVar[str] = "Activation maximisation"
    source: ClassVar[str] = (
        "Erhan et al. 2009, Univ. Montréal TR 1341; Olah et al. 2017, doi:10.23915/distill.00007"
    )
    needs: ClassVar[tuple[str, ...]] = ("gradients",)
    reads: ClassVar[str] = "no map: a made-up image in which the network sees as much of this class as it can"
    signed: ClassVar[bool] = True
    random: ClassVar[bool] = True
    answer: ClassVar[str] = "image"
    trust: ClassVar[tuple[str, ...]] = ("score_start", "score_reached", "score_clean")

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InputError(f"{self.name}: found steps={self.steps}, expected at least 1")
        for parameter in ("rate", "contrast"):
            if getattr(self, parameter) <= 0:
                raise InputError(
                    f"{self.name}: found {parameter}={getattr(self, parameter)}, expected above 0"
                )
        for parameter, most in (("jitter", np.inf), ("rotate", 180), ("zoom", 0.99)):
            if not 0 <= getattr(self, parameter) <= most:
                raise InputError(
                    f"{self.name}: found {parameter}={getattr(self, parameter)}, expected 0 to {most}"
                )
        if (self.layer is None) != (self.channel is None):
            raise InputError(
                f"{self.name}: found layer={self.layer!r} and channel={self.channel}, expected both or none"
            )
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise InputError(f"{self.name}: found low={self.low} and high={self.high}, expected low < high")

    def check(self, model: Model) -> None:
        super().check(model)
        if self.layer is not None:
            model.layer(self.layer)

    def check_problem(self, problem: Problem) -> None:
        super().check_problem(problem)
        low, high = self._bounds(problem)
        if self.low is None and self.high is None and not bool((low < high).any()):
            raise InputError(
                f"{self.name}: the prepared image is constant, so that it gives no range of values; give low and high"
            )
        for channel, (a, b) in enumerate(zip(low.flatten().tolist(), high.flatten().tolist(), strict=True)):
            if a > b:
                raise InputError(
                    f"{self.name}: found low={self.low} and high={self.high}, which leaves channel {channel} no values: "
                    f"{a:g} to {b:g}; give both"
                )

    def cost(self, problem: Problem) -> Passes:
        """Per target (once for a layer) its own gradients and three values, and the clean scores."""
        total = self._passes(problem, 0, 1)
        for objective in self._objectives(problem).values():
            total = total + objective.passes(gradients=self.steps, values=3)
        return total

    def compute(self, problem: Problem) -> Result:
        clean, maps = problem.clean_scores(), problem.store()
        result = Result(maps, clean, "intensity of the prepared image", voxel_power=0)
        with problem.runner.session():
            for t, objective in self._objectives(problem).items():
                maps[t], checks, still = self._climb(problem, objective)
                result.checks[t] = checks
                result.notes[t] = self._note(checks, still=still)
                if still:  # the noise that it started from is no answer
                    result.floor[t] = float("inf")
        if self.layer is not None:
            first = problem.present[0]
            for t in problem.present[1:]:
                maps[t], result.checks[t] = maps[first], dict(result.checks[first])
                result.notes[t] = result.notes[first]
                result.floor.update({t: result.floor[first]} if first in result.floor else {})
        return result

    def _objectives(self, problem: Problem) -> dict[int, Objective]:
        """What is climbed, per target; a layer's channel is the same for all, so once."""
        if self.layer is not None and self.channel is not None:
            one = LayerObjective(problem, self.layer, kind="mean", channel=self.channel)
            return dict.fromkeys(problem.present[:1], one)
        return {t: TargetObjective(problem, t) for t in problem.present}

    def _climb(self, problem: Problem, objective: Objective) -> tuple[Tensor, dict[str, float], bool]:
        """The image reached, its checks, and whether no step had a gradient."""
        spacing = problem.prepared.spacing
        painting = Painting(
            problem.image,
            *self._bounds(problem),
            spacing,
            decorrelate=self.decorrelate,
            contrast=self.contrast,
            rng=np.random.default_rng([problem.seed, 1]),
        )
        move, rng = Movement(self.jitter, self.rotate, self.zoom), np.random.default_rng([problem.seed, 2])
        adam = Adam(painting.spectrum, self.rate)
        start = objective.value(painting.image().detach())
        still = True
        for _ in range(self.steps):
            with torch.enable_grad():
                moved = move(painting.image(), spacing, rng)
            _, gradient = objective.gradient(moved.detach())
            size = float(gradient.abs().max())
            if not size > 0:
                continue
            still = False
            (slope,) = torch.autograd.grad(moved, painting.spectrum, -gradient / size)
            adam.step(slope)
        found = painting.image().detach()
        reached = objective.value(found)
        checks = {
            "score_start": start,
            "score_reached": reached,
            "score_clean": objective.value(problem.image),
        }
        return found, checks, still

    def _bounds(self, problem: Problem) -> tuple[Tensor, Tensor]:
        """Smallest and largest value of every channel: (C,) each."""
        flat = problem.image.flatten(1)
        low = flat.amin(1) if self.low is None else torch.full_like(flat[:, 0], self.low)
        high = flat.amax(1) if self.high is None else torch.full_like(flat[:, 0], self.high)
        return low, high

    def _note(self, checks: dict[str, float], *, still: bool) -> str:
        of = (
            f"channel {self.channel} of layer {self.layer}, the same for every target: " if self.layer else ""
        )
        start, reached, clean = (checks[f"score_{k}"] for k in ("start", "reached", "clean"))
        if still:
            return f"{of}no gradient came back from the network, so that the noise stayed as it was"
        text = f"{of}{start:.3g} for noise, {reached:.3g} reached, {clean:.3g} for the user's image"
        return text if reached > start else f"{text}: it did not rise; try more steps or another rate"
