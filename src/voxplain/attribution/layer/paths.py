"""Layer methods that share out a score's difference from a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch

from voxplain.attribution.baseline import (
    Baseline,
    check_baseline,
    describe,
    parse_baseline,
    warn_if_scale_blind,
)
from voxplain.attribution.gradient.expected_gradients import ExpectedGradients, stratified
from voxplain.attribution.gradient.quadrature import quadrature
from voxplain.attribution.layer.complete import TOLD_WHERE, UNIT, complete, ways_round
from voxplain.attribution.layer.looks import LayerMethod, check_nodes
from voxplain.attribution.method import Result, register
from voxplain.engine import Passes, Problem
from voxplain.engine.layer_tour import Tour
from voxplain.engine.samplers import Fixed, Path, RandomPath
from voxplain.errors import InputError


@dataclass(frozen=True)
class _FromBaseline(LayerMethod):
    """A layer method with nodes on a path from a baseline.

    Args:
        nodes: gradient evaluations on the path.
        baseline: a `Baseline`, a number, ``minimum``, ``mean``, ``blur``, ``blur:SIGMA_MM``, ``case:FILE``; by
            default a blurred image where the network is blind to scale, else each channel's minimum.
    """

    nodes: int = 32
    baseline: Baseline | float | str | None = None

    needs: ClassVar[tuple[str, ...]] = ("gradients", "layer", "baseline")
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_nodes(self.name, self.nodes)
        check_baseline(self.baseline)


@register
@dataclass(frozen=True)
class LayerConductance(_FromBaseline):
    """∫₀¹ ∂F/∂A · dA/dα dα along b + α(x − b): how F(x) − F(b) flows through the layer.

    Dhamdhere et al. 2018, "How important is a neuron?", eq. 1. The path is cut into equal panels; each contributes
    its gradient times the change of the activation over it, so that the shares of a layer that the whole score
    passes through sum to F(x) − F(b) up to the quadrature's error, reported as ``completeness_gap``. Where other ways
    lead round the layer (skip connections), the note says what passes through it instead.

    Args:
        rule: where in its panel the gradient is taken: ``midpoint``, or ``left`` as Captum does.
    """

    rule: Literal["midpoint", "left"] = "midpoint"

    name: ClassVar[str] = "layer_conductance"
    title: ClassVar[str] = "Layer conductance"
    source: ClassVar[str] = "Dhamdhere et al. 2018, arXiv:1805.12233"
    reads: ClassVar[str] = "the share of the score's difference from the baseline that passes through here"
    trust_where: ClassVar[Mapping[str, str]] = TOLD_WHERE

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rule not in ("midpoint", "left"):
            raise InputError(f"{self.name}: found rule={self.rule!r}, expected one of midpoint, left")

    def cost(self, problem: Problem) -> Passes:
        """Passes of their own: the panels' ends, the scores at the path's ends, and whether a way leads round."""
        return self._passes(problem, self.nodes, self.nodes + 1 + 2 + 2) + self._search(problem)

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        baseline = parse_baseline(self.baseline, problem)
        warning = warn_if_scale_blind(problem, baseline)
        start = baseline(problem)
        ends = [i / self.nodes for i in range(self.nodes + 1)]
        inside = [(i + (0.5 if self.rule == "midpoint" else 0.0)) / self.nodes for i in range(self.nodes)]
        padded, even = problem.pad(start), [1.0] * len(ends)
        tour = Tour(
            Path(problem.padded, padded, inside, even),
            beside=Path(problem.padded, padded, ends, even),
            needs=[(i, i + 1) for i in range(self.nodes)],
        )
        found = view.paint_tour(
            tour,
            lambda seen: seen.gradient * (seen.beside[1] - seen.beside[0]),
            self._together,
            f"{self.name} ({self.nodes} nodes)",
        )
        clean, low = problem.clean_scores(), problem.scores([start])[0]
        notes = self._notes(problem, view.name, f"baseline {describe(baseline)}", warning)
        bypassed = ways_round(problem, view, padded, low, clean - low)
        checks = complete(problem, found, clean - low, notes, bypassed)
        return self._result(problem, found.maps, clean, UNIT, notes, checks)


@register
@dataclass(frozen=True)
class LayerIntegratedGradients(_FromBaseline):
    """(A(x) − A(b)) ⊙ ∫₀¹ ∂F/∂A at A(b) + α(A(x) − A(b)) dα: integrated gradients in the layer's own space.

    Sundararajan et al. 2017, "Axiomatic attribution for deep networks", with the layer as the input: the image stays,
    the layer's output is replaced by points on the line from what the baseline image gives there. The shares sum to
    F(x) − F(x with the layer as at the baseline); where every way through the network leads through the layer, that
    is F(x) − F(b). The quadrature's error is reported as ``completeness_gap``.
    """

    name: ClassVar[str] = "layer_integrated_gradients"
    title: ClassVar[str] = "Layer integrated gradients"
    source: ClassVar[str] = "Sundararajan et al. 2017, arXiv:1703.01365"
    reads: ClassVar[str] = "the share in what the score loses when the layer is set back to the baseline"

    def cost(self, problem: Problem) -> Passes:
        """Two activations per window, and the scores at both ends of the path."""
        return self._passes(problem, self.nodes, 2 + 2) + self._search(problem)

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        baseline = parse_baseline(self.baseline, problem)
        positions, weights = quadrature("gauss-legendre", self.nodes)
        positions, weights = [0.0, 1.0, *positions], [0.0, 0.0, *weights]
        tour = Tour(
            Fixed([problem.padded] * len(positions)),
            beside=Fixed([problem.pad(baseline(problem)), problem.padded]),
            needs=[(0, 1)] * len(positions),
            replace=lambda draw, ends: torch.lerp(ends[0], ends[1], positions[draw]),
            silent=frozenset({0, 1}),
        )
        found = view.paint_tour(
            tour,
            lambda seen: weights[seen.draw] * seen.gradient * (seen.beside[1] - seen.beside[0]),
            self._together,
            f"{self.name} ({self.nodes} nodes)",
        )
        low, clean = found.scores[0], found.scores[1]
        notes = self._notes(
            problem,
            view.name,
            f"baseline {describe(baseline)}",
            "explains F(x) − F(x with the layer as at the baseline)",
        )
        checks = complete(problem, found, clean - low, notes)
        return self._result(problem, found.maps, clean, UNIT, notes, checks)


@register
@dataclass(frozen=True)
class LayerGradientShap(LayerMethod):
    """E[(A(x) − A(b)) ⊙ ∂F/∂A at b + α(x − b)] over random baselines b and α ~ U(0, 1).

    Lundberg & Lee 2017, "A unified approach to interpreting model predictions", at a layer. The path lies in the image,
    the difference in the layer, so that the shares sum to F(x) − E[F(b)] only where the layer is linear in the image.

    Args:
        draws: random (baseline, α) pairs; α is stratified for each baseline.
        baselines: as in expected gradients.
    """

    draws: int = 32
    baselines: tuple[Baseline | float | str, ...] | None = None

    name: ClassVar[str] = "layer_gradient_shap"
    title: ClassVar[str] = "Layer GradientSHAP"
    source: ClassVar[str] = "Lundberg & Lee 2017, arXiv:1705.07874; Erion et al. 2021, arXiv:1906.10670"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "layer", "baseline")
    reads: ClassVar[str] = "what the features here add to the score, compared with random baselines"
    random: ClassVar[bool] = True
    trust: ClassVar[tuple[str, ...]] = ("agreement",)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._expected()

    def _expected(self) -> ExpectedGradients:
        """The same expectation at the input, whose draws these are."""
        try:
            return ExpectedGradients(draws=self.draws, baselines=self.baselines)
        except InputError as error:
            raise InputError(str(error).replace(ExpectedGradients.name, self.name, 1)) from error

    def cost(self, problem: Problem) -> Passes:
        starts = 3 if self.baselines is None else len(self.baselines)
        return self._passes(problem, self.draws, 1 + 1 + min(starts, self.draws)) + self._search(problem)

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        starts = [problem.pad(b(problem)) for b in self._expected().starts(problem)]
        positions, choices = stratified(self.draws, len(starts), np.random.default_rng(problem.seed))
        still = torch.zeros((problem.image.shape[0], *(1,) * len(problem.spatial_shape)), dtype=problem.dtype)
        drawn = (positions.tolist(), choices.tolist())
        tour = Tour(
            RandomPath(problem.padded, starts, *drawn, problem.noise(), still),
            beside=Fixed([problem.padded, *starts]),
            needs=[(0, 1 + choice) for choice in drawn[1]],
        )
        found = view.paint_tour(
            tour,
            lambda seen: seen.gradient * (seen.beside[0] - seen.beside[1]) / self.draws,
            self._together,
            f"{self.name} ({self.draws} draws)",
            halves=True,
        )
        checks = {t: {"agreement": a} for t, a in found.agreement.items()}
        notes = self._notes(problem, view.name)
        return self._result(problem, found.maps, problem.clean_scores(), UNIT, notes, checks)
