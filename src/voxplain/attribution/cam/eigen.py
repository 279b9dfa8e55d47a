"""CAMs from the first principal component of a layer: what its feature maps have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from voxplain.attribution.cam.gradients import Cam
from voxplain.attribution.method import Result, register
from voxplain.engine import Passes, Problem
from voxplain.engine.features import Features

# A variance below this share of the mean square is rounding (single precision).
ROUNDING = 1e-12


@register
@dataclass(frozen=True)
class EigenCam(Cam):
    """ReLU(v · (A − Ā)) with v the first principal component of the layer's places: no gradient, no target.

    Muhammad & Yeasin 2020, "Eigen-CAM", which takes the first right singular vector of the places × features
    matrix. One features × features matrix is summed over all windows of the image and decomposed, whatever the
    number of places. The sign is such that the map correlates positively with Σ_k A_k.

    Args:
        centre: subtract each feature map's mean Ā, as principal components and other libraries do; off, the
            singular vector of the activations as they are, as in the paper.
    """

    centre: bool = True

    score_count: ClassVar[int] = 1
    name: ClassVar[str] = "eigen_cam"
    title: ClassVar[str] = "Eigen-CAM"
    source: ClassVar[str] = "Muhammad & Yeasin 2020, arXiv:2008.00299"
    needs: ClassVar[tuple[str, ...]] = ("hooks", "layer")
    reads: ClassVar[str] = "where the layer's features vary together most; the same for every target"

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        features = Features(problem, view)
        sums: list[Tensor] = []

        def take(window: int, activation: Tensor) -> None:
            found = moments(activation)
            sums[:] = [found + sums[0] if sums else found]

        features.each(take, f"{self.name} component")
        first = principal(sums[0], centre=self.centre)
        offset = float(first.direction @ first.mean) if self.centre else 0.0

        def draw(activation: Tensor) -> Tensor:
            return self._rectified(first.project(activation) - offset)[None]

        picture = features.stitch(draw, 1, self.name)
        maps = problem.store(channels=1)
        for t in problem.present:
            maps[t] = picture.clone()
        result = self._finish(problem, maps, view.name)
        for t in problem.present:
            result.notes[t] += f"; the map is of the layer alone, the same for every target; {first}"
        result.unit = "activation"
        return result

    def cost(self, problem: Problem) -> Passes:
        """Two passes over all windows, and the clean scores."""
        everywhere = len(problem.plan) if problem.present else 0
        scores = self._passes(problem, draws=0, scores=self.score_count)
        return scores + Passes(forward=2 * everywhere + self._search(problem))


@register
@dataclass(frozen=True)
class EigenGradCam(Cam):
    """ReLU(v · (g ⊙ A)) with v the first principal component of g ⊙ A over the target's places.

    Eigen-CAM on gradient × activation, so that it tells targets apart: HiRes-CAM's feature maps, weighted by what
    they have in common instead of added up. The sign is such that the map correlates positively with
    Σ_k g_k ⊙ A_k. Nothing is subtracted from the map, so zero stays "no contribution".

    Args:
        centre: whether the component is that of the deviations from the mean.
    """

    centre: bool = True

    name: ClassVar[str] = "eigen_grad_cam"
    title: ClassVar[str] = "Eigen-Grad-CAM"
    source: ClassVar[str] = (
        "Muhammad & Yeasin 2020, arXiv:2008.00299, on gradient × activation (Gildenblat 2021)"
    )

    @property
    def draw_count(self) -> int:
        return 2  # the component first, the maps then

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        sums = view.gather(lambda t, a, g: moments(g * a), f"{self.name} component")
        first = {t: principal(s, centre=self.centre) for t, s in sums.items()}
        maps = view.paint_gradient(
            lambda t, a, g: self._rectified(first[t].project(g * a)), f"{self.name} maps"
        )
        result = self._finish(problem, maps, view.name)
        for t in problem.present:
            result.notes[t] += f"; {first[t]}"
        return result


@dataclass(frozen=True)
class Component:
    """A first principal component.

    Attributes:
        direction: (F,) of length 1, all zero where nothing varies.
        mean: (F,) of the places.
        share: of the variance (of the sum of squares, not centred) that it carries.
        rival: the second component's share.
    """

    direction: Tensor
    mean: Tensor
    share: float
    rival: float

    def project(self, values: Tensor) -> Tensor:
        """(F, *s) -> (*s)."""
        projected: Tensor = torch.tensordot(self.direction.to(values), values, dims=1)
        return projected

    def __str__(self) -> str:
        text = f"the first component carries {self.share:.0%} of the variance"
        if self.share and self.rival > 0.95 * self.share:
            text += ", hardly more than the second, so that its direction is arbitrary"
        return text


def moments(values: Tensor) -> Tensor:
    """Count, sums and products of feature maps over their places, as one matrix that adds up over windows.

    Returns:
        (F + 1, F + 1) double: Σ over places of (1, a)ᵀ (1, a) for values a of (F, *s).
    """
    flat = values.detach().flatten(1).cpu().double()
    flat = torch.cat([torch.ones_like(flat[:1]), flat])
    products: Tensor = flat @ flat.T
    return products


def principal(sums: Tensor, *, centre: bool) -> Component:
    """The first principal component from `moments`, with Σ_k v_k ≥ 0."""
    second, mean = sums[1:, 1:] / sums[0, 0], sums[0, 1:] / sums[0, 0]
    matrix = second - torch.outer(mean, mean) if centre else second
    values, vectors = torch.linalg.eigh(matrix)
    values = values.clamp_min(0).flip(0)
    total = float(values.sum())
    if float(values[0]) <= ROUNDING * float(second.trace()):
        return Component(torch.zeros_like(mean), mean, 0.0, 0.0)
    direction = vectors[:, -1]
    # cov(v · a, Σ_k a_k) = λ Σ_k v_k; where that is zero, the largest entry decides
    lean = float(direction.sum())
    if abs(lean) < 1e-9:
        lean = float(direction[direction.abs().argmax()])
    direction = direction if lean > 0 else -direction
    rival = float(values[1]) / total if len(values) > 1 else 0.0
    return Component(direction, mean, float(values[0]) / total, rival)
