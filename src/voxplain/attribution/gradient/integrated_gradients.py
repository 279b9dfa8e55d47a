"""Integrated gradients: how the score's difference from one baseline is shared out among the voxels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from voxplain.attribution.baseline import (
    Baseline,
    check_baseline,
    describe,
    parse_baseline,
    warn_if_scale_blind,
)
from voxplain.attribution.gradient.completeness import completeness
from voxplain.attribution.gradient.quadrature import quadrature
from voxplain.attribution.method import Method, Result, register
from voxplain.attribution.streamed import Streamed
from voxplain.engine import Problem
from voxplain.engine.samplers import Path


@register
@dataclass(frozen=True)
class IntegratedGradients(Method):
    """(x − b) · ∫₀¹ ∂F(b + α(x − b))/∂x dα: how F(x) − F(b) is shared out among the voxels.

    Sundararajan et al. 2017, "Axiomatic attribution for deep networks", eq. 1. The maps sum to F(x) − F(b)
    up to the quadrature's error, which is reported as ``completeness_gap`` relative to |F(x) − F(b)|.

    Args:
        nodes: gradient evaluations on the path.
        rule: ``gauss-legendre``, or the ``midpoint``, ``trapezoid``, ``left`` or ``right`` rule.
        baseline: a `Baseline`, a number, ``minimum``, ``mean``, ``blur``, ``blur:SIGMA_MM``, ``case:FILE``; by
            default a blurred image where the network is blind to scale, else each channel's minimum.

    >>> import numpy as np, torch, voxplain as vx
    >>> network = torch.nn.Conv2d(1, 2, 1)  # bright: twice the intensity
    >>> network.weight.data = torch.tensor([0.0, 2.0]).reshape(2, 1, 1, 1)
    >>> network.bias.data = torch.tensor([1.0, 0.0])
    >>> model = vx.load_model(network, classes=["dark", "bright"])
    >>> case = vx.Case("three voxels", np.array([[[0.0, 1.0, 3.0]]]))
    >>> problem = vx.Problem(model, case, ["bright"])
    >>> attribution = IntegratedGradients(nodes=4, baseline=0.0).attribute(problem)
    >>> attribution.map("bright").tolist()  # adds up to the score, 4
    [[[0.0, 1.0, 3.0]]]
    >>> attribution.answers[0].checks
    {'completeness_gap': 0.0}
    """

    nodes: int = 32
    rule: Literal["gauss-legendre", "midpoint", "trapezoid", "left", "right"] = "gauss-legendre"
    baseline: Baseline | float | str | None = None

    score_count: ClassVar[int] = 2
    name: ClassVar[str] = "integrated_gradients"
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Integrated gradients"
    source: ClassVar[str] = "Sundararajan et al. 2017, arXiv:1703.01365"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "baseline")
    reads: ClassVar[str] = "the share of the score's difference from the baseline that this voxel carries"
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap",)

    def __post_init__(self) -> None:
        quadrature(self.rule, self.nodes)
        check_baseline(self.baseline)

    @property
    def draw_count(self) -> int:
        return self.nodes

    def streamed(self, problem: Problem) -> Streamed:
        return self._from(problem, parse_baseline(self.baseline, problem)(problem))

    def _from(self, problem: Problem, start: Tensor) -> Streamed:
        """The path from a baseline (C, *spatial)."""
        positions, weights = quadrature(self.rule, self.nodes)
        padded = problem.pad(start)
        return Streamed(
            lambda p: Path(p.padded, padded, positions, weights),
            f"{self.name} ({self.nodes} nodes)",
            times=problem.image - start,
            at_image=False,
        )

    def compute(self, problem: Problem) -> Result:
        baseline = parse_baseline(self.baseline, problem)
        warning = warn_if_scale_blind(problem, baseline)
        start = baseline(problem)
        found = self._from(problem, start).maps(problem)
        ends = torch.stack([problem.clean_scores(), problem.scores([start])[0]])
        checks, notes = completeness(problem, found, ends)
        for t in notes:
            notes[t] = "; ".join(filter(None, [f"baseline {describe(baseline)}", notes[t], warning]))
        return Result(found.maps, ends[0], "score", checks, notes)
