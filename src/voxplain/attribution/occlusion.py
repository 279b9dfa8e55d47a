"""Occlusion: what is lost when a part of the image is hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from voxplain.attribution.baseline import Baseline, check_baseline, parse_baseline
from voxplain.attribution.method import Method, Result, register
from voxplain.attribution.regions import boxes, from_labels, supervoxels
from voxplain.engine import MapStore, Passes, Problem
from voxplain.errors import InputError
from voxplain.target.region import Region


@register
@dataclass(frozen=True)
class Occlusion(Method):
    """F(x) − F(x with a part replaced by the baseline), for cubes, supervoxels or given regions.

    Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks". One forward pass per part and
    window serves all targets, and windows that a part does not touch are not computed again.

    Args:
        size: edge of the cubes in voxels of the prepared image, one number or one per axis.
        stride: step between cubes; the size by default, so that cubes do not overlap.
        supervoxels: hide this many SLIC supervoxels (superpixels in 2-D) instead of cubes.
        regions: a label image on the case's grid (path or array): hide each of its labels instead of cubes.
        baseline: as in integrated gradients.
        paint: a voxel's value: ``density`` (effect divided by the part's voxels) or ``effect`` (as it is);
            either way averaged over the parts that hold the voxel.
    """

    size: int | tuple[int, ...] = 16
    stride: int | tuple[int, ...] | None = None
    supervoxels: int | None = None
    regions: object = None
    baseline: Baseline | float | str | None = None
    paint: Literal["density", "effect"] = "density"

    name: ClassVar[str] = "occlusion"
    family: ClassVar[str] = "perturbation"
    title: ClassVar[str] = "Occlusion"
    source: ClassVar[str] = "Zeiler & Fergus 2014, arXiv:1311.2901"
    needs: ClassVar[tuple[str, ...]] = ("regions", "baseline")
    reads: ClassVar[str] = "positive: hiding this part lowers the score"

    def __post_init__(self) -> None:
        if self.paint not in ("density", "effect"):
            raise InputError(f"occlusion: found paint={self.paint!r}, expected 'density' or 'effect'")
        check_baseline(self.baseline)
        if self.supervoxels is not None and self.regions is not None:
            raise InputError("occlusion: found both supervoxels and regions; give one of them")

    def compute(self, problem: Problem) -> Result:
        parts = self.parts(problem)
        baseline = parse_baseline(self.baseline, problem)
        lost, clean = problem.occlusion(parts, baseline(problem))
        maps = self._painted(problem, parts, lost)
        notes = dict.fromkeys(
            problem.present, f"{len(parts)} parts, baseline {type(baseline).__name__.lower()}"
        )
        unit = "lost score" if self.paint == "effect" else "lost score per voxel"
        power = 0 if self.paint == "effect" else 1
        return Result(maps, clean, unit, notes=notes, region_values=lost, regions=parts, voxel_power=power)

    def cost(self, problem: Problem) -> Passes:
        return problem.occlusion_cost(self.parts(problem))

    def parts(self, problem: Problem) -> list[Region]:
        """The parts that are hidden, one after the other; cut once per problem."""
        return problem.once(("parts", str(self.parameters())), lambda: self._cut(problem))

    def _cut(self, problem: Problem) -> list[Region]:
        dims = len(problem.spatial_shape)
        if self.regions is not None:
            return from_labels(problem.prepared.bring(problem.label_array(self.regions)))
        if self.supervoxels is not None:
            return supervoxels(problem, self.supervoxels)
        size = _per_axis("size", self.size, dims)
        stride = self.size if self.stride is None else self.stride
        return boxes(problem.spatial_shape, size, _per_axis("stride", stride, dims))

    def _painted(self, problem: Problem, parts: list[Region], lost: Tensor) -> MapStore:
        shape = problem.spatial_shape
        covered = torch.zeros(shape, dtype=problem.dtype)
        for part in parts:
            covered[part.bounds] += part.crop(part.bounds)
        maps = problem.store(channels=1)
        for t in problem.present:
            total = torch.zeros(shape, dtype=problem.dtype)
            for part, value in zip(parts, lost[t].tolist(), strict=True):
                share = value / part.count if self.paint == "density" else value
                total[part.bounds] += share * part.crop(part.bounds).to(problem.dtype)
            maps[t] = (total / covered.clamp_min(1))[None]
        return maps


def _per_axis(name: str, value: int | tuple[int, ...], dims: int) -> tuple[int, ...]:
    numbers = (value,) * dims if isinstance(value, int) else tuple(value)
    if len(numbers) != dims:
        raise InputError(f"occlusion: {name} has {len(numbers)} numbers {numbers}, expected one or {dims}")
    return numbers
