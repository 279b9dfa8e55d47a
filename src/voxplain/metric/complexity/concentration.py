"""Numbers that describe how concentrated a map is: entropy, Gini index, count of large voxels.

They only describe. A map of one voxel in the wrong place is as simple as one in the right place, and a network may look
at much of the image, which a faithful map must then show.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from voxplain.engine import Passes, Problem
from voxplain.errors import InputError
from voxplain.metric.candidate import Candidate
from voxplain.metric.figure import NAN, Figure
from voxplain.metric.metric import Figures, Metric, register

Sizes = NDArray[np.float64]


@dataclass(frozen=True)
class Concentration(Metric):
    """A statistic of the sizes of a map's values, after channels are added up."""

    family: ClassVar[str] = "complexity"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "neither"
    nulls: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def statistic(self, sizes: Sizes) -> float:
        """Of |map| (voxels,), of which at least one is not zero."""

    def compute(self, problem: Problem, candidates: Sequence[Candidate]) -> Figures:
        return {
            (position, target): self._figure(candidate.values(target))
            for position, candidate in enumerate(candidates)
            for target in sorted(candidate.targets)
        }

    def cost(self, problem: Problem, candidates: Sequence[Candidate]) -> Passes:
        return Passes(0, 0)

    def _figure(self, values: Tensor) -> Figure:
        sizes = values.double().sum(0).abs().flatten().numpy()
        largest = sizes.max()
        if not largest > 0:
            return Figure(NAN, note="the map is zero everywhere, so that it has no concentration")
        return Figure(self.statistic(sizes / largest))


@register
@dataclass(frozen=True)
class Complexity(Concentration):
    """Entropy ``−Σ_v P(v) ln P(v)`` of ``P(v) = |a(v)| / Σ|a|``, in nats (Bhatt et al. 2020, definition 3).

    0 for one voxel, ln n for n voxels of equal size; so exp of it is a number of voxels.
    """

    name: ClassVar[str] = "complexity"
    title: ClassVar[str] = "Complexity (entropy)"
    source: ClassVar[str] = "Bhatt et al. 2020, arXiv:2005.00631"
    reads: ClassVar[str] = "0: all in one voxel; ln n: spread over n voxels alike; simple does not mean right"
    span: ClassVar[tuple[float, float]] = (0.0, float("inf"))

    def statistic(self, sizes: Sizes) -> float:
        shares = sizes[sizes > 0] / sizes.sum()
        shares = shares[shares > 0]  # a share may round to none
        return max(float(-(shares * np.log(shares)).sum()), 0.0)


@register
@dataclass(frozen=True)
class Sparseness(Concentration):
    """Gini index ``1 − 2 Σ_k (|a|_(k) / Σ|a|) (n − k + ½)/n`` of the sizes in rising order (Chalasani et al. 2020)."""

    name: ClassVar[str] = "sparseness"
    title: ClassVar[str] = "Sparseness (Gini)"
    source: ClassVar[str] = "Chalasani et al. 2020, arXiv:1810.06583"
    reads: ClassVar[str] = "0: all voxels alike; near 1: all in few voxels; sparse does not mean right"
    span: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def statistic(self, sizes: Sizes) -> float:
        rising, n = np.sort(sizes), len(sizes)
        weights = (n - np.arange(1, n + 1) + 0.5) / n
        return max(float(1 - 2 * (rising * weights).sum() / rising.sum()), 0.0)


@register
@dataclass(frozen=True)
class EffectiveComplexity(Concentration):
    """How many voxels have ``|a(v)|`` above a share of the largest (after Nguyen & Martínez 2020, section 2.3).

    The paper counts how many features a score needs at least; this counts those that the map calls more than
    negligible, as Quantus does, which takes no pass of the network.

    Args:
        share: of the largest size.
    """

    share: float = 0.01

    name: ClassVar[str] = "effective_complexity"
    title: ClassVar[str] = "Effective complexity"
    source: ClassVar[str] = "Nguyen & Martínez 2020, arXiv:2007.07584, by a threshold"
    reads: ClassVar[str] = "number of voxels that are more than negligible; few does not mean right"
    span: ClassVar[tuple[float, float]] = (1.0, float("inf"))

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise InputError(f"{self.name}: found share={self.share}, expected 0 or more and less than 1")

    def statistic(self, sizes: Sizes) -> float:
        return float((sizes > self.share).sum())
