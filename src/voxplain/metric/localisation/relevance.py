"""How much relevance, and how many of the most relevant voxels, lie in the mask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from voxplain.errors import InputError
from voxplain.metric.localisation.against_mask import PEOPLE, AgainstMask, Inside, Relevance
from voxplain.metric.localisation.ties import hits
from voxplain.metric.metric import register


@register
@dataclass(frozen=True, eq=False)
class RelevanceMassAccuracy(AgainstMask):
    """``Σ_{v in mask} r(v) / Σ_v r(v)`` (Arras et al. 2022, section 3.2)."""

    name: ClassVar[str] = "relevance_mass_accuracy"
    title: ClassVar[str] = "Relevance mass accuracy"
    source: ClassVar[str] = "Arras et al. 2022, arXiv:2003.07258"
    reads: ClassVar[str] = f"share of the map that lies in the mask; {PEOPLE}"

    def agreement(self, relevance: Relevance, mask: Inside, spacing: tuple[float, ...]) -> float:
        return float(relevance.sum(where=mask, dtype=np.float64) / relevance.sum(dtype=np.float64))


@register
@dataclass(frozen=True, eq=False)
class RelevanceRankAccuracy(AgainstMask):
    """``|K largest voxels ∩ mask| / K`` for ``K = |mask|`` (Arras et al. 2022, section 3.2)."""

    name: ClassVar[str] = "relevance_rank_accuracy"
    title: ClassVar[str] = "Relevance rank accuracy"
    source: ClassVar[str] = "Arras et al. 2022, arXiv:2003.07258"
    reads: ClassVar[str] = f"share of the K largest voxels that lie in the mask of K voxels; {PEOPLE}"

    def agreement(self, relevance: Relevance, mask: Inside, spacing: tuple[float, ...]) -> float:
        size = int(mask.sum())
        return hits(relevance, mask, size) / size


@register
@dataclass(frozen=True, eq=False)
class TopKIntersection(AgainstMask):
    """``|k largest voxels ∩ mask| / min(k, |mask|)`` for k a share of the image (after Theiner et al. 2022).

    The paper divides by k, which a mask of fewer voxels cannot reach; so here 1 is possible for every mask.

    Args:
        share: of the image's voxels that are looked at.
    """

    share: float = 0.01

    name: ClassVar[str] = "top_k_intersection"
    title: ClassVar[str] = "Top-k intersection"
    source: ClassVar[str] = "Theiner et al. 2022, arXiv:2104.14995, relative to what the mask allows"
    reads: ClassVar[str] = f"of the map's largest voxels, how many lie in the mask; {PEOPLE}"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.share < 1:
            raise InputError(f"{self.name}: found share={self.share}, expected a share between 0 and 1")

    def agreement(self, relevance: Relevance, mask: Inside, spacing: tuple[float, ...]) -> float:
        count = max(round(self.share * relevance.size), 1)
        size = int(mask.sum())
        # a map of few voxels is no better for the zeros that fill up its k, hence the average over ties in `hits`
        return hits(relevance, mask, count) / min(count, size)
