"""How much a map agrees, on average, with the other methods' maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from voxplain.engine import Passes, Problem
from voxplain.metric.agreement.likeness import Kind, check_kind
from voxplain.metric.agreement.matrix import likenesses
from voxplain.metric.candidate import Candidate
from voxplain.metric.figure import NAN, Figure
from voxplain.metric.metric import Figures, Metric, register


@register
@dataclass(frozen=True)
class MeanAgreement(Metric):
    """Mean likeness to the other methods' maps of the same target (after Krishna et al. 2022).

    Methods that share an idea agree without being right, so that this only describes. A null's figure is its mean
    likeness to all methods.

    Args:
        kind: see `voxplain.metric.agreement.agreement`.
        share: of the image's voxels that ``top_k`` looks at.
    """

    kind: Kind = "spearman_absolute"
    share: float = 0.05

    name: ClassVar[str] = "mean_agreement"
    family: ClassVar[str] = "agreement"
    title: ClassVar[str] = "Mean agreement with the others"
    source: ClassVar[str] = "Krishna et al. 2022, arXiv:2202.01602"
    reads: ClassVar[str] = "1: the other methods show the same; agreement is no proof, they may share a fault"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "neither"
    span: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    nulls: ClassVar[tuple[str, ...]] = ("random", "edges")

    def __post_init__(self) -> None:
        check_kind(self.kind, self.share)

    def compute(self, problem: Problem, candidates: Sequence[Candidate]) -> Figures:
        found = {}
        methods = np.array([not c.null for c in candidates])
        for target in problem.present:
            matrix = likenesses(candidates, target, self.kind, self.share)
            for position, candidate in enumerate(candidates):
                if target not in candidate.targets:
                    continue
                others = methods.copy()
                others[position] = False
                found[position, target] = _figure(matrix[position], others, position)
        return found

    def cost(self, problem: Problem, candidates: Sequence[Candidate]) -> Passes:
        return Passes(0, 0)


def _figure(likeness: np.ndarray, others: np.ndarray, own: int) -> Figure:
    known = likeness[others & np.isfinite(likeness)]
    if len(known):
        return Figure(float(known.mean()))
    if not others.any():
        return Figure(NAN, note="there is no other method to agree with")
    if not np.isfinite(likeness[own]):
        return Figure(NAN, note="the map is constant, so that it has no order to compare")
    return Figure(NAN, note="no other method has a map of this target that can be compared")
