"""Class activation maps: which places of a feature map speak for the score.

For a segmentation the score is the target's sum over its region, which makes these the published
segmentation forms (Seg-Grad-CAM, Seg-HiRes-Grad-CAM). With several windows, channel weights are summed over
the windows that the target touches and the windows' maps are blended as the network's outputs are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from voxplain.attribution.method import Method, Result, register
from voxplain.engine import MapStore, Passes, Problem
from voxplain.model import Model


@dataclass(frozen=True)
class Cam(Method):
    """What the CAM methods share: a layer and a rectifier.

    Args:
        layer: dotted name of a layer with a spatial output; by default the last of the deepest ones.
        relu: keep only what speaks for the score, at the layer's own resolution, as published; off, the map is
            signed.
    """

    layer: str | None = None
    relu: bool = True

    family: ClassVar[str] = "cam"
    needs: ClassVar[tuple[str, ...]] = ("gradients", "layer")
    answer: ClassVar[str] = "map of the layer"
    reads: ClassVar[str] = "where the layer's features speak for the score, at the layer's resolution"

    def _rectified(self, coarse: Tensor) -> Tensor:
        """Before interpolation and blending, where the papers and all implementations have it."""
        return coarse.clamp_min(0) if self.relu else coarse

    def _weighted(self, weights: dict[int, Tensor]) -> Callable[[int, Tensor], Tensor]:
        """Σ_k α_k A_k of a target's weights (F,) and activations (F, *s)."""
        return lambda t, a: self._rectified(torch.tensordot(weights[t].to(a), a, dims=1))

    def check(self, model: Model) -> None:
        super().check(model)
        if self.layer is not None:
            model.layer(self.layer)

    def cost(self, problem: Problem) -> Passes:
        """As for a gradient, and one pass to find the default layer; the layer's activations are mostly kept."""
        return super().cost(problem) + Passes(forward=self._search(problem))

    def _search(self, problem: Problem) -> int:
        """Forward passes to find the default layer."""
        known = self.layer is not None or problem.has_done("default layer") or not problem.present
        return 0 if known else 1

    def _finish(self, problem: Problem, maps: MapStore, layer: str) -> Result:
        scores = problem.clean_scores()
        notes = dict.fromkeys(problem.present, f"layer {layer}")
        return Result(maps, scores, "score per feature sum", notes=notes, voxel_power=0)


@register
@dataclass(frozen=True)
class GradCam(Cam):
    """ReLU(Σ_k α_k A_k) with α_k the mean of ∂F/∂A_k over the feature map.

    Selvaraju et al. 2017, "Grad-CAM", eq. 1 and 2; for segmentation Vinogradova et al. 2020, "Seg-Grad-CAM".
    """

    name: ClassVar[str] = "grad_cam"
    aliases: ClassVar[tuple[str, ...]] = ("seg_grad_cam",)
    title: ClassVar[str] = "Grad-CAM (Seg-Grad-CAM)"
    source: ClassVar[str] = (
        "Selvaraju et al. 2017, arXiv:1610.02391; Vinogradova et al. 2020, arXiv:2002.11434"
    )

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        weights = view.gather(lambda t, a, g: g.flatten(1).mean(1), f"{self.name} weights")
        return self._finish(problem, view.paint(self._weighted(weights), self.name), view.name)


@register
@dataclass(frozen=True)
class GradCamPlusPlus(Cam):
    """Grad-CAM with pixel-wise weights: α_k = Σ_ij a_kij ReLU(g_kij), a = g² / (2g² + g³ Σ_ab A_kab).

    Chattopadhay et al. 2018, "Grad-CAM++", eq. 10, 19, with the score taken through an exponential, whose
    derivative is a factor common to all channels and left out.
    """

    name: ClassVar[str] = "grad_cam_pp"
    title: ClassVar[str] = "Grad-CAM++"
    source: ClassVar[str] = "Chattopadhay et al. 2018, arXiv:1710.11063"

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        sums = view.gather(lambda t, a, g: _sums(_plus_plus(a, g), a), f"{self.name} weights")
        weights = {t: s[0] for t, s in sums.items()}
        result = self._finish(problem, view.paint(self._weighted(weights), self.name), view.name)
        return _warned(result, sums)


@register
@dataclass(frozen=True)
class HiResCam(Cam):
    """Σ_k g_k ⊙ A_k, position by position: only places that the score really uses.

    Draelos & Carin 2020, "Use HiResCAM instead of Grad-CAM"; for segmentation Rheude et al. 2024,
    "Seg-HiRes-Grad-CAM". Signed by default, as the paper defines it; ``relu`` keeps the positive part.
    """

    relu: bool = False

    name: ClassVar[str] = "hires_cam"
    aliases: ClassVar[tuple[str, ...]] = ("seg_hires_grad_cam",)
    title: ClassVar[str] = "HiRes-CAM (Seg-HiRes-Grad-CAM)"
    source: ClassVar[str] = "Draelos & Carin 2020, arXiv:2011.08891; Rheude et al. 2024, arXiv:2409.20287"

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        maps = view.paint_gradient(lambda t, a, g: self._rectified((g * a).sum(0)), self.name)
        return self._finish(problem, maps, view.name)


@register
@dataclass(frozen=True)
class LayerCam(Cam):
    """ReLU(Σ_k ReLU(g_k) ⊙ A_k): every place has its own weights, and only gradients that rise count.

    Jiang et al. 2021, "LayerCAM: exploring hierarchical class activation maps for localization". Made
    for shallow layers, where one weight for a whole feature map is too coarse.
    """

    name: ClassVar[str] = "layer_cam"
    title: ClassVar[str] = "Layer-CAM"
    source: ClassVar[str] = "Jiang et al. 2021, doi:10.1109/TIP.2021.3089943"

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        maps = view.paint_gradient(
            lambda t, a, g: self._rectified((g.clamp_min(0) * a).sum(0)), f"{self.name} maps"
        )
        return self._finish(problem, maps, view.name)


@register
@dataclass(frozen=True)
class XGradCam(Cam):
    """ReLU(Σ_k α_k A_k) with α_k = Σ_p g_kp A_kp / Σ_p A_kp: the gradient's mean, weighted by the activation.

    Fu et al. 2020, "Axiom-based Grad-CAM". Over all places, Σ_k α_k A_k sums to Σ g ⊙ A, as HiRes-CAM does.
    Numerator and denominator are both summed over the target's windows, so this holds over windows too. A feature
    map whose activations cancel to rounding has no weight.
    """

    name: ClassVar[str] = "xgrad_cam"
    title: ClassVar[str] = "XGrad-CAM"
    source: ClassVar[str] = "Fu et al. 2020, arXiv:2008.02312"

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        sums = view.gather(lambda t, a, g: _sums((g * a).flatten(1).sum(1), a), f"{self.name} weights")
        epsilon = 16 * torch.finfo(problem.dtype).eps
        weights = {t: _quotient(s, epsilon) for t, s in sums.items()}
        result = self._finish(problem, view.paint(self._weighted(weights), self.name), view.name)
        return _warned(result, sums)


def _sums(weights: Tensor, activation: Tensor) -> Tensor:
    """What is summed of every feature map: its weight or numerator, Σ A and Σ |A|: (3, F)."""
    flat = activation.flatten(1)
    return torch.stack([weights, flat.sum(1), flat.abs().sum(1)]).cpu().double()


def _warned(result: Result, sums: dict[int, Tensor]) -> Result:
    """Say where the weights, whose formula has Σ A, meet feature maps that are negative or cancel."""
    for t, (_, total, size) in sums.items():
        cancelling = int((total.abs() < 0.01 * size).sum())
        negative = int((total < 0.99 * size).sum())
        if cancelling:
            result.notes[t] += f"; {cancelling} of {len(size)} feature maps sum to almost nothing"
        if negative:
            result.notes[t] += (
                f"; {negative} of {len(size)} feature maps have negative values, for which this method is not made: "
                "the map may be upside down, so choose a layer after a ReLU, or hires_cam"
            )
    return result


def _quotient(sums: Tensor, epsilon: float) -> Tensor:
    product, total, size = sums
    return torch.where(total.abs() > epsilon * size, product / total, torch.zeros_like(total))


def _plus_plus(activation: Tensor, gradient: Tensor) -> Tensor:
    total = activation.flatten(1).sum(1).reshape(-1, *(1,) * (activation.dim() - 1))
    squared = gradient**2
    denominator = 2 * squared + total * gradient**3
    share = torch.where(denominator != 0, squared / denominator, torch.zeros_like(squared))
    return (share * gradient.clamp_min(0)).flatten(1).sum(1)
