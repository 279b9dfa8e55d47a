"""What the CAM methods share that try a layer's feature maps one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from voxplain.attribution.cam.gradients import Cam
from voxplain.engine import Passes, Problem
from voxplain.engine.features import Features
from voxplain.errors import InputError


@dataclass(frozen=True)
class ChannelCam(Cam):
    """ReLU(Σ_k α_k A_k) with weights from one more run of the network per feature map.

    Args:
        channels: how many feature maps are tried at most, those that say most in the whole image; the others have
            weight zero. ``None`` for all.
    """

    channels: int | None = 64

    needs: ClassVar[tuple[str, ...]] = ("hooks", "layer")
    strength: ClassVar[Literal["variance", "energy"]] = "energy"

    def __post_init__(self) -> None:
        number = isinstance(self.channels, int) and not isinstance(self.channels, bool)
        if self.channels is not None and not (number and self.channels >= 1):
            raise InputError(
                f"{self.name}: found channels={self.channels!r}, expected at least 1, or null (None) for all"
            )

    def _tried(self, count: int) -> int:
        return count if self.channels is None else min(self.channels, count)

    def _chosen(self, features: Features) -> list[int]:
        """The feature maps to try, ascending; one pass over the image finds the strongest where not all are."""
        if self._tried(features.count) == features.count:
            return list(range(features.count))
        strength = strengths(features, self.strength, f"{self.name} channels")
        return sorted(strength.topk(self._tried(features.count)).indices.tolist())

    def _remark(self, features: Features, chosen: list[int]) -> str:
        if len(chosen) == features.count:
            return f"all {features.count} feature maps"
        return f"the {len(chosen)} of {features.count} feature maps with the largest {self.strength}"

    def _cost(self, problem: Problem, features: Features, scores: int, sweeps: int) -> Passes:
        """The choice and ``sweeps`` over all windows, ``scores`` and the map over those that targets touch."""
        chooses = self._tried(features.count) < features.count
        everywhere = (sweeps + chooses) * features.windows
        painting = len(problem.plan.windows(problem.present))
        return self._passes(problem, draws=0, scores=scores) + Passes(forward=everywhere + painting)


def strengths(features: Features, kind: Literal["variance", "energy"], what: str) -> Tensor:
    """Variance or mean square of every feature map over all places of all windows: (F,) double."""
    sums: list[Tensor] = []

    def take(window: int, activation: Tensor) -> None:
        flat = activation.flatten(1).cpu().double()
        found = torch.stack([torch.ones_like(flat).sum(1), flat.sum(1), (flat**2).sum(1)])
        sums[:] = [found + sums[0] if sums else found]

    features.each(take, what)
    count, total, squares = sums[0]
    mean = total / count if kind == "variance" else torch.zeros_like(total)
    found: Tensor = squares / count - mean**2
    return found


def scattered(values: Tensor, chosen: list[int], count: int) -> Tensor:
    """(n,) weights of the chosen feature maps -> (count,), zero for the others."""
    out = torch.zeros(count, dtype=torch.float64)
    out[chosen] = values.double()
    return out
