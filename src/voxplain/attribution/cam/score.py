"""Score-CAM: a feature map matters if the score survives where only its places are shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor

from voxplain.attribution.baseline import Baseline, check_baseline, parse_baseline
from voxplain.attribution.cam.channels import ChannelCam, scattered
from voxplain.attribution.method import Result, register
from voxplain.engine import Passes, Problem
from voxplain.engine.features import Features
from voxplain.engine.layout import Slices
from voxplain.engine.samplers import Fixed
from voxplain.errors import InputError


@register
@dataclass(frozen=True)
class ScoreCam(ChannelCam):
    """ReLU(Σ_k α_k A_k) with α_k = F(b + M_k ⊙ (x − b)) − F(b), M_k the feature map scaled to [0, 1].

    Wang et al. 2020, "Score-CAM", definitions 2 and 3 (with b = 0). M_k is the feature map of the whole image:
    interpolated and blended over the windows, then scaled by its own minimum and maximum. So the masked image is
    one image, which the stitched network sees, and all targets share it.

    Args:
        weights: ``increase``, the definition above, or ``softmax`` of it over the feature maps, as in the paper's
            algorithm. The softmax depends on the score's unit: on logits that differ by much it keeps one feature
            map and drops the others, on probabilities it makes all nearly equal.
        baseline: what hidden places show, as in integrated gradients; 0 as in the paper.
    """

    weights: Literal["increase", "softmax"] = "increase"
    baseline: Baseline | float | str | None = None

    name: ClassVar[str] = "score_cam"
    title: ClassVar[str] = "Score-CAM"
    source: ClassVar[str] = "Wang et al. 2020, arXiv:1910.01279"
    needs: ClassVar[tuple[str, ...]] = ("hooks", "layer", "baseline")
    reads: ClassVar[str] = "where features lie that raise the score when only their places are shown"
    strength: ClassVar[Literal["variance", "energy"]] = "variance"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights not in ("increase", "softmax"):
            raise InputError(f"score_cam: found weights={self.weights!r}, expected 'increase' or 'softmax'")
        check_baseline(self.baseline)

    def compute(self, problem: Problem) -> Result:
        view = problem.layer(self.layer)
        features = Features(problem, view)
        chosen = self._chosen(features)
        baseline = parse_baseline(self.baseline, problem)
        start = baseline(problem)
        raised = self._masked_scores(problem, features, chosen, start) - problem.scores([start])[0]
        alpha = raised.softmax(0) if self.weights == "softmax" else raised
        weights = {t: scattered(alpha[:, t], chosen, features.count) for t in problem.present}
        result = self._finish(problem, view.paint(self._weighted(weights), self.name), view.name)
        for t in problem.present:
            result.notes[t] += (
                f"; {self._remark(features, chosen)}, baseline {type(baseline).__name__.lower()}"
                + self._saturation(alpha[:, t])
            )
        result.unit = "activation" if self.weights == "softmax" else "score × activation"
        return result

    def cost(self, problem: Problem) -> Passes:
        """Per feature map and for the image and its baseline, one pass per window that a target touches.

        Whoever asks pays one pass, which counts the layer's feature maps, and one for a default layer.
        """
        if not problem.present:
            return Passes()
        features = Features(problem, problem.layer(self.layer))
        tried = self._tried(features.count)
        return self._cost(problem, features, scores=tried + 2, sweeps=len(_parts(problem, tried)))

    def _masked_scores(
        self, problem: Problem, features: Features, chosen: list[int], start: Tensor
    ) -> Tensor:
        """Scores of the image seen through each feature map: (n, T)."""
        image, hidden = problem.pad(problem.image), problem.pad(start)
        found = []
        for part in _parts(problem, len(chosen)):
            own = chosen[part]
            masks = features.stitch(partial(_picked, own), len(own), f"{self.name} feature maps")
            sampler = Masked([image, hidden], problem.pad(_scaled(masks)))
            found.append(problem.engine.scores(sampler, problem.present, f"{self.name} masks"))
        return torch.cat(found)

    def _saturation(self, alpha: Tensor) -> str:
        if self.weights != "softmax" or len(alpha) == 1 or float(alpha.max()) < 0.99:
            return ""
        return "; the softmax keeps one feature map alone: use weights='increase'"


@dataclass(frozen=True)
class Masked(Fixed):
    """``images[0]`` seen through masks, ``images[1]`` behind them.

    Attributes:
        masks: (n, *padded) in [0, 1].
    """

    masks: Tensor

    def __len__(self) -> int:
        return len(self.masks)

    def input(self, draw: int, where: Slices) -> Tensor:
        image, hidden = (x[(slice(None), *where)] for x in self.images)
        return torch.lerp(hidden, image, self.masks[draw][where].expand_as(image))


def _picked(chosen: list[int], activation: Tensor) -> Tensor:
    return activation[chosen]


def _scaled(maps: Tensor) -> Tensor:
    """Every map to [0, 1] by its own range; a constant one shows nothing."""
    flat = maps.flatten(1)
    low = flat.amin(1).reshape(-1, *(1,) * (maps.dim() - 1))
    span = flat.amax(1).reshape(low.shape) - low
    return torch.where(span > 0, (maps - low) / torch.where(span > 0, span, torch.ones_like(span)), 0.0)


def _parts(problem: Problem, count: int) -> list[slice]:
    """Runs of feature maps of which four copies on the image's grid fit into the problem's memory."""
    each = 4 * problem.dtype.itemsize * problem.padded[0].numel()
    size = max(problem.memory // each, 1)
    return [slice(a, min(a + size, count)) for a in range(0, count, size)]
