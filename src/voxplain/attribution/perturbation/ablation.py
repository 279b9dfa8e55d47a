"""Feature ablation: what is lost when a group of intensities is replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.baseline import Baseline, check_baseline, parse_baseline
from voxplain.attribution.method import Result, register
from voxplain.attribution.parts import ByParts, told
from voxplain.attribution.regions import Box
from voxplain.engine import Passes, Problem
from voxplain.engine.changes import Overwritten
from voxplain.errors import InputError
from voxplain.target.region import Region, label_regions


@register
@dataclass(frozen=True)
class FeatureAblation(ByParts):
    """F(x) − F(x with a feature replaced by the baseline), a feature being a part of one channel or of several.

    Feature by feature, as in Meyes et al. 2019, "Ablation studies in artificial neural networks", and in Captum's
    method of that name. Where occlusion hides a part of the image in all channels, a feature may be the part in one
    channel alone (one contrast of MR, one colour), or a channel as a whole.

    Args:
        size, supervoxels, paint: the parts, and how they are drawn (see `ByParts`).
        regions: a label image on the case's grid (path or array); an array with the image's channels as first axis
            groups any voxels of any channels. Label 0 is no feature.
        channels: ``apart`` (every part of every channel is a feature), ``together`` (a part in all channels, as in
            occlusion) or ``whole`` (every channel is one feature, parts are not asked for).
        baseline: as in integrated gradients.
    """

    size: int | tuple[int, ...] | None = 16
    channels: Literal["apart", "together", "whole"] = "apart"
    baseline: Baseline | float | str | None = None

    name: ClassVar[str] = "feature_ablation"
    family: ClassVar[str] = "perturbation"
    title: ClassVar[str] = "Feature ablation"
    source: ClassVar[str] = (
        "Meyes et al. 2019, arXiv:1901.08644; Captum (Kokhlikyan et al. 2020), arXiv:2009.07896"
    )
    needs: ClassVar[tuple[str, ...]] = ("regions", "baseline")
    reads: ClassVar[str] = "positive: replacing this part of this channel lowers the score"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_baseline(self.baseline)
        if self.channels not in ("apart", "together", "whole"):
            raise InputError(
                f"{self.name}: found channels={self.channels!r}, expected 'apart', 'together' or 'whole'"
            )

    def compute(self, problem: Problem) -> Result:
        baseline = parse_baseline(self.baseline, problem)
        features = self._features(problem, baseline(problem))
        lost, clean = problem.effects(features, self.name)
        maps = self._painted(problem, features, lost)
        notes = dict.fromkeys(
            problem.present, f"{told(features, 'features')}, baseline {type(baseline).__name__.lower()}"
        )
        unit = self._unit("lost score")
        return Result(
            maps,
            clean,
            unit,
            notes=notes,
            region_values=lost,
            regions=list(features),
            voxel_power=self._power,
        )

    def cost(self, problem: Problem) -> Passes:
        # where the features lie is all that counts
        return problem.effects_cost(self._features(problem, problem.image))

    def _features(self, problem: Problem, replacement: Tensor) -> list[Overwritten]:
        groups = problem.once(
            ("features", str(self.parameters())), lambda: self._groups(problem, replacement.shape[0])
        )
        return [Overwritten(members, replacement) for members in groups]

    def _groups(self, problem: Problem, count: int) -> list[tuple[Region | None, ...]]:
        """For each feature its voxels in every channel."""
        if self.channels == "whole":
            image = Box(tuple(slice(0, s) for s in problem.spatial_shape))
            return [_only(image, c, count) for c in range(count)]
        labels = None if self.regions is None else problem.label_array(self.regions)
        if labels is not None and labels.ndim == len(problem.case.spatial_shape) + 1:
            return self._labelled(problem, labels, count)
        parts = self.parts(problem)
        if self.channels == "together":
            return [(part,) * count for part in parts]
        return [_only(part, c, count) for c in range(count) for part in parts]

    def _labelled(self, problem: Problem, labels: np.ndarray, count: int) -> list[tuple[Region | None, ...]]:
        """Features of a label map per channel (C, *case spatial)."""
        if len(labels) != count:
            raise InputError(
                f"{self.name}: the region map has {len(labels)} channels, expected none or the image's {count}"
            )
        brought = torch.stack([problem.prepared.bring(channel) for channel in labels]).to(torch.int32)
        values = [int(v) for v in torch.unique(brought) if v > 0]
        if not values:
            raise InputError(
                f"{self.name}: the region map holds no value above 0, expected one positive integer per feature"
            )
        return list(zip(*(label_regions(channel, values) for channel in brought), strict=True))


def _only(part: Region, channel: int, count: int) -> tuple[Region | None, ...]:
    return tuple(part if c == channel else None for c in range(count))
