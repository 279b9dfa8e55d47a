"""Methods that look at a layer inside the network and draw what they find on the image.

The layer's own map of every window is interpolated linearly to the window, as for class activation maps; gradients
carry the windows' blending weights, activations are blended with them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from voxplain.attribution.baseline import (
    Baseline,
    check_baseline,
    describe,
    parse_baseline,
    warn_if_scale_blind,
)
from voxplain.attribution.gradient.quadrature import quadrature
from voxplain.attribution.layer.complete import UNIT
from voxplain.attribution.method import Method, Result, register
from voxplain.engine import MapStore, Passes, Problem
from voxplain.engine.layer_tour import Tour, Visit
from voxplain.engine.samplers import Path
from voxplain.errors import InputError
from voxplain.model import Model


@dataclass(frozen=True)
class LayerMethod(Method):
    """What the layer methods share: a layer, and which of its feature maps to show.

    Args:
        layer: dotted name of a layer with a spatial output; by default the last of the deepest ones.
        channel: one feature map; by default all of them together.
    """

    layer: str | None = None
    channel: int | None = None

    family: ClassVar[str] = "layer"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "layer")
    answer: ClassVar[str] = "map of the layer"

    def __post_init__(self) -> None:
        if self.channel is not None and self.channel < 0:
            raise InputError(f"{self.name}: found channel={self.channel}, expected 0 or more")

    def check(self, model: Model) -> None:
        super().check(model)
        if self.layer is not None:
            model.layer(self.layer)

    def cost(self, problem: Problem) -> Passes:
        return super().cost(problem) + self._search(problem)

    def _search(self, problem: Problem) -> Passes:
        """The pass that finds the default layer."""
        known = self.layer is not None or problem.has_done("default layer")
        return Passes(forward=0 if known else 1)

    def _together(self, maps: Tensor) -> Tensor:
        """Σ over the feature maps (F, *s), or the one that was asked for: (*s)."""
        return maps.sum(0) if self.channel is None else maps[self._channel(maps.shape[0])]

    def _channel(self, features: int) -> int:
        assert self.channel is not None
        if self.channel >= features:
            raise InputError(
                f"{self.name}: found channel={self.channel}, expected 0 to {features - 1}: the layer has {features} "
                "feature maps"
            )
        return self.channel

    def _result(
        self,
        problem: Problem,
        maps: MapStore,
        scores: Tensor,
        unit: str,
        notes: dict[int, str],
        checks: dict[int, dict[str, float]] | None = None,
    ) -> Result:
        return Result(maps, scores, unit, checks or {}, notes, voxel_power=0)

    def _notes(self, problem: Problem, layer: str, *more: str) -> dict[int, str]:
        shown = "" if self.channel is None else f", channel {self.channel}"
        return dict.fromkeys(problem.present, "; ".join(filter(None, [f"layer {layer}{shown}", *more])))


@register
@dataclass(frozen=True)
class LayerActivation(LayerMethod):
    """The layer's own output: mean_k A_k, or one feature map A_k. It does not depend on the target.

    What Captum calls layer activation and Olah et al. 2018 show, "The building blocks of interpretability".
    """

    name: ClassVar[str] = "layer_activation"
    title: ClassVar[str] = "Layer activation"
    source: ClassVar[str] = "Olah et al. 2018, doi:10.23915/distill.00010"
    needs: ClassVar[tuple[str, ...]] = ("layer",)
    reads: ClassVar[str] = "where the layer's features are active, whatever the score"

    def cost(self, problem: Problem) -> Passes:
        return self._passes(problem, 0, 1) + Passes(forward=len(problem.plan)) + self._search(problem)

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        maps = view.paint_everywhere(self._shown, self.name)
        notes = self._notes(problem, view.name, "the same for every target")
        return self._result(problem, maps, problem.clean_scores(), "activation", notes)

    def _shown(self, activation: Tensor) -> Tensor:
        return activation.mean(0) if self.channel is None else self._together(activation)


@register
@dataclass(frozen=True)
class LayerGradientXActivation(LayerMethod):
    """Σ_k A_k ⊙ ∂F/∂A_k: the layer's share in the score to first order, measured from an empty layer.

    Kindermans et al. 2016, "Investigating the influence of noise and distractors on the interpretation of neural
    networks", at a layer. TorchRay calls it linear approximation; summed over the channels it is HiRes-CAM.
    """

    name: ClassVar[str] = "layer_gradient_x_activation"
    title: ClassVar[str] = "Layer gradient × activation (linear approximation)"
    source: ClassVar[str] = "Kindermans et al. 2016, arXiv:1611.07270"
    reads: ClassVar[str] = "positive: the features here speak for the score, to first order"

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        maps = view.paint_gradient(lambda _, a, g: self._together(a * g), self.name)
        return self._result(problem, maps, problem.clean_scores(), UNIT, self._notes(problem, view.name))


@register
@dataclass(frozen=True)
class InternalInfluence(LayerMethod):
    """Σ_k ∫₀¹ ∂F/∂A_k at b + α(x − b) dα: how strongly the score hangs on the layer, on the way from a baseline.

    Leino et al. 2018, "Influence-directed explanations for deep convolutional networks", with the distribution of
    interest uniform on the line from the baseline to the image.

    Args:
        nodes: gradient evaluations on the path (Gauss–Legendre).
        baseline: as in integrated gradients.
    """

    nodes: int = 32
    baseline: Baseline | float | str | None = None

    name: ClassVar[str] = "internal_influence"
    title: ClassVar[str] = "Internal influence"
    source: ClassVar[str] = "Leino et al. 2018, arXiv:1802.03788"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "layer", "baseline")
    reads: ClassVar[str] = "positive: more of the features here raises the score; negative: lowers it"
    score_count: ClassVar[int] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_nodes(self.name, self.nodes)
        check_baseline(self.baseline)

    @property
    def draw_count(self) -> int:
        return self.nodes

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        baseline = parse_baseline(self.baseline, problem)
        positions, weights = quadrature("gauss-legendre", self.nodes)
        path = Path(problem.padded, problem.pad(baseline(problem)), positions, weights)
        largest = dict.fromkeys(problem.present, 0.0)

        def share(seen: Visit) -> Tensor:
            part = weights[seen.draw] * seen.gradient
            largest[seen.target] += float(part.abs().sum(0).max())
            return part

        found = view.paint_tour(Tour(path), share, self._together, f"{self.name} ({self.nodes} nodes)")
        # before a LayerNorm the gradients of a place's features sum to zero, which leaves their rounding
        floor = {t: 4 * torch.finfo(problem.dtype).eps * size for t, size in largest.items()}
        warning = warn_if_scale_blind(problem, baseline)
        notes = self._notes(problem, view.name, f"baseline {describe(baseline)}", warning)
        result = self._result(problem, found.maps, problem.clean_scores(), "score per activation", notes)
        return replace(result, floor=floor)


def check_nodes(name: str, nodes: int) -> None:
    """Raise InputError where a path has no point."""
    if nodes < 1:
        raise InputError(f"{name}: found nodes={nodes}, expected at least 1")
