"""Ablation-CAM: a feature map matters if the score falls without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from voxplain.attribution.cam.channels import ChannelCam, scattered
from voxplain.attribution.method import Result, register
from voxplain.engine import Passes, Problem
from voxplain.engine.features import Features
from voxplain.engine.replaced import Replaced


@register
@dataclass(frozen=True)
class AblationCam(ChannelCam):
    """ReLU(Σ_k α_k A_k) with α_k = (F − F_k) / |F|, where F_k is the score with feature map k set to zero.

    Desai & Ramaswamy 2020, "Ablation-CAM". The paper divides by F, which would turn the map's sign
    around for a negative score, as logits often are; by |F| it is the same for positive ones. Over windows the
    feature map is set to zero in all of them, and F_k is the stitched network's score.
    """

    name: ClassVar[str] = "ablation_cam"
    title: ClassVar[str] = "Ablation-CAM"
    source: ClassVar[str] = "Desai & Ramaswamy 2020, doi:10.1109/WACV45572.2020.9093360"
    reads: ClassVar[str] = "where features lie without which the score falls"
    strength: ClassVar[Literal["variance", "energy"]] = "energy"

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        features = Features(problem, view)
        chosen = self._chosen(features)

        def without(number: int, output: Tensor) -> Tensor:
            out = output.clone()
            out[chosen[number]] = 0
            return out

        clean = problem.clean_scores()
        lost = clean - Replaced(problem, view).scores(len(chosen), without, self.name)
        size = _sizes(clean, lost, problem)
        weights = {t: scattered(lost[:, t] / size[t], chosen, features.count) for t in problem.present}
        result = self._finish(problem, view.paint(self._weighted(weights), self.name), view.name)
        for t in problem.present:
            result.notes[t] += f"; {self._remark(features, chosen)}"
            if size[t] != clean[t].abs():
                result.notes[t] += "; the score is zero, so that what it loses is not divided by it"
        result.unit = "share of the score × activation"
        return result

    def cost(self, problem: Problem) -> Passes:
        """Per feature map and for the image, one pass per window that a target touches.

        Whoever asks pays one pass, which counts the layer's feature maps, and one for a default layer.
        """
        if not problem.present:
            return Passes()
        features = Features(problem, problem.layer(self.layer))
        return self._cost(problem, features, scores=self._tried(features.count) + 1, sweeps=0)


def _sizes(clean: Tensor, lost: Tensor, problem: Problem) -> Tensor:
    """|F| per target, and 1 where F is zero to rounding next to what is lost: (T,)."""
    size = clean.abs()
    rounding = 16 * torch.finfo(problem.dtype).eps * lost.abs().amax(0)
    return torch.where(size > rounding, size, torch.ones_like(size))
