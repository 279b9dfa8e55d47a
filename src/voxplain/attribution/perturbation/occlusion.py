"""Occlusion: what is lost when a part of the image is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from voxplain.attribution.baseline import Baseline, check_baseline, parse_baseline
from voxplain.attribution.method import Result, register
from voxplain.attribution.parts import ByParts, told
from voxplain.engine import Passes, Problem


@register
@dataclass(frozen=True)
class Occlusion(ByParts):
    """F(x) − F(x with a part replaced by the baseline), for cubes, supervoxels or given regions.

    Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks". One forward pass per part and
    window serves all targets, and windows that a part does not touch are not computed again.

    Args:
        size, supervoxels, regions, paint: the parts, and how they are drawn (see `ByParts`).
        stride: step between cubes; the size by default, so that cubes do not overlap.
        baseline: as in integrated gradients.
    """

    size: int | tuple[int, ...] | None = 16
    stride: int | tuple[int, ...] | None = None
    baseline: Baseline | float | str | None = None

    name: ClassVar[str] = "occlusion"
    family: ClassVar[str] = "perturbation"
    title: ClassVar[str] = "Occlusion"
    source: ClassVar[str] = "Zeiler & Fergus 2014, arXiv:1311.2901"
    needs: ClassVar[tuple[str, ...]] = ("regions", "baseline")
    reads: ClassVar[str] = "positive: hiding this part lowers the score"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_baseline(self.baseline)

    def compute(self, problem: Problem) -> Result:
        parts = self.parts(problem)
        baseline = parse_baseline(self.baseline, problem)
        lost, clean = problem.occlusion(parts, baseline.over(problem, parts))
        maps = self._painted(problem, parts, lost)
        notes = dict.fromkeys(
            problem.present, f"{told(parts, 'parts')}, baseline {type(baseline).__name__.lower()}"
        )
        unit = self._unit("lost score")
        return Result(
            maps, clean, unit, notes=notes, region_values=lost, regions=parts, voxel_power=self._power
        )

    def cost(self, problem: Problem) -> Passes:
        return problem.occlusion_cost(self.parts(problem))

    def _stride(self, size: tuple[int, ...]) -> tuple[int, ...]:
        return size if self.stride is None else self._per_axis("stride", self.stride, len(size))
