"""Metrics that compare a map with a mask."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from voxplain.engine import Passes, Problem
from voxplain.errors import InputError
from voxplain.metric.candidate import Candidate
from voxplain.metric.figure import NAN, Figure
from voxplain.metric.localisation.truth import Mask, check_truth, inside, told
from voxplain.metric.metric import Figures, Metric

Relevance = NDArray[np.floating[Any]]
Inside = NDArray[np.bool_]
PEOPLE = "agreement with people's mask, not faithfulness to the network"

EMPTY = "the mask holds no voxel of the prepared image, so there is no place to find"
FULL = "the mask holds every voxel, so that every map finds it"
ZERO = "the map is zero everywhere"
NEGATIVE = "no value of the map is positive; sign='absolute' counts negative ones too"


@dataclass(frozen=True, eq=False)
class AgainstMask(Metric):
    """How much of a map lies in a mask, on the prepared grid.

    Channels are added up before the sign is looked at. Ties, as in maps of parts or of zeros, count by what a random
    order among the tied voxels would give on average, so that a constant map has exactly the chance level.

    Args:
        mask: where the finding is: ``label`` (the case's label map at the target's class), ``region`` (the target's own
            region), or a mask on the case's grid, as an array or a path.
        value: of the label map or mask; by default the class's index in a label map, all but zero in a mask.
        sign: ``positive``, what speaks for the score, or ``absolute``.
    """

    mask: Mask = "label"
    value: int | None = None
    sign: Literal["positive", "absolute"] = "positive"

    family: ClassVar[str] = "localisation"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    span: ClassVar[tuple[float, float]] = (0.0, 1.0)
    needs: ClassVar[tuple[str, ...]] = ("mask",)
    nulls: ClassVar[tuple[str, ...]] = ("constant", "random", "edges")

    def __post_init__(self) -> None:
        if self.sign not in ("positive", "absolute"):
            raise InputError(f"{self.name}: found sign={self.sign!r}, expected 'positive' or 'absolute'")

    @abstractmethod
    def agreement(self, relevance: Relevance, mask: Inside, spacing: tuple[float, ...]) -> float:
        """Of relevance (*spatial) ≥ 0 that is not all zero, and a mask that is neither empty nor full."""

    def check(self, problem: Problem) -> None:
        check_truth(problem, self.mask, self.value)

    def compute(self, problem: Problem, candidates: Sequence[Candidate]) -> Figures:
        found = {}
        for target in problem.present:
            mask = inside(problem, target, self.mask, self.value).numpy()
            refused = EMPTY if not mask.any() else FULL if mask.all() else ""
            for position, candidate in enumerate(candidates):
                if target not in candidate.targets:
                    continue
                found[position, target] = (
                    Figure(NAN, note=refused)
                    if refused
                    else self._figure(candidate.values(target), mask, problem.prepared.spacing)
                )
        return found

    def cost(self, problem: Problem, candidates: Sequence[Candidate]) -> Passes:
        return Passes(0, 0)

    def parameters(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)} | {"mask": told(self.mask)}

    def _figure(self, values: Tensor, mask: Inside, spacing: tuple[float, ...]) -> Figure:
        signed = values[0] if len(values) == 1 else values.double().sum(0)
        relevance = (signed.abs() if self.sign == "absolute" else signed.clamp_min(0)).numpy()
        if not relevance.any():
            return Figure(NAN, note=NEGATIVE if bool(signed.any()) else ZERO)
        return Figure(self.agreement(relevance, mask, spacing))
