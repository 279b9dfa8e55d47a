"""What methods share that change the image part by part: cubes, supervoxels or given regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from voxplain.attribution.baseline import Baseline
from voxplain.attribution.method import Method
from voxplain.attribution.regions import boxes, from_labels, supervoxels
from voxplain.engine import MapStore, Problem
from voxplain.engine.changes import Overwritten
from voxplain.engine.game import Game, Player
from voxplain.errors import InputError
from voxplain.target.region import Region

# Supervoxels where nothing else was asked for.
SUPERVOXELS = 64


@dataclass(frozen=True)
class ByParts(Method):
    """Base of methods whose answer is one number per part.

    Args:
        size: edge of cubes in voxels of the prepared image, one number or one per axis.
        supervoxels: this many SLIC supervoxels (superpixels in 2-D) instead of cubes.
        regions: a label image on the case's grid (path or array): each of its labels instead of cubes.
        paint: a voxel's value: ``density`` (the part's number divided by its voxels) or ``effect`` (as it is);
            either way averaged over the parts that hold the voxel.
    """

    size: int | tuple[int, ...] | None = None
    supervoxels: int | None = None
    regions: object = None
    paint: Literal["density", "effect"] = "density"

    def __post_init__(self) -> None:
        if self.paint not in ("density", "effect"):
            raise InputError(f"{self.name}: found paint={self.paint!r}, expected 'density' or 'effect'")
        if self.supervoxels is not None and self.regions is not None:
            raise InputError(f"{self.name}: found both supervoxels and regions; give one of them")
        if self.supervoxels is not None and self.supervoxels < 2:
            raise InputError(f"{self.name}: found {self.supervoxels} supervoxels, expected at least 2")
        if self.size is not None and np.min(self.size) < 1:
            raise InputError(f"{self.name}: found size={self.size}, expected at least 1 on every axis")

    def parts(self, problem: Problem) -> list[Region]:
        """The parts that are changed, one after the other; cut once per problem."""
        return problem.once(("parts", self.name, str(self.parameters())), lambda: self._cut(problem))

    def _cut(self, problem: Problem) -> list[Region]:
        if self.regions is not None:
            return from_labels(problem.prepared.bring(problem.label_array(self.regions)), self.name)
        if self.supervoxels is not None or self.size is None:
            return supervoxels(problem, self.supervoxels or SUPERVOXELS)
        size = self._per_axis("size", self.size, len(problem.spatial_shape))
        return boxes(problem.spatial_shape, size, self._stride(size), self.name)

    def _stride(self, size: tuple[int, ...]) -> tuple[int, ...]:
        return size

    def _per_axis(self, name: str, value: int | tuple[int, ...], dims: int) -> tuple[int, ...]:
        numbers = (value,) * dims if isinstance(value, int) else tuple(value)
        if len(numbers) != dims:
            raise InputError(
                f"{self.name}: {name} has {len(numbers)} numbers {numbers}, expected one or {dims}"
            )
        return numbers

    def _game(self, problem: Problem, baseline: Baseline) -> Game:
        """The game whose players are the parts."""
        parts = self.parts(problem)
        return problem.game([Player(part) for part in parts], baseline.over(problem, parts))

    def _painted(self, problem: Problem, parts: Sequence[Region], values: Tensor) -> MapStore:
        """Maps of the parts' values (T, R): (1, *spatial), or (C, *spatial) where parts have channels."""
        channels = len(parts[0].members) if parts and isinstance(parts[0], Overwritten) else 1
        shape = (channels, *problem.spatial_shape)
        covered = torch.zeros(shape, dtype=problem.dtype)
        for part in parts:
            covered[(slice(None), *part.bounds)] += _members(part)
        maps = problem.store(channels=channels)
        for t in problem.present:
            total = torch.zeros(shape, dtype=problem.dtype)
            for part, value in zip(parts, values[t].tolist(), strict=True):
                share = value / _elements(part) if self.paint == "density" else value
                total[(slice(None), *part.bounds)] += share * _members(part).to(problem.dtype)
            maps[t] = total / covered.clamp_min(1)
        return maps

    def _unit(self, what: str) -> str:
        return what if self.paint == "effect" else f"{what} per voxel"

    @property
    def _power(self) -> int:
        return 0 if self.paint == "effect" else 1


def told(parts: Sequence[Region], what: str) -> str:
    """How many parts there are, and that one alone makes no map."""
    if len(parts) > 1:
        return f"{len(parts)} {what}"
    return (
        f"a single one of {what}, so that the map is constant and shows no place; ask for smaller ones (size)"
    )


def _members(part: Region) -> Tensor:
    """The part within its bounds: (C or 1, *box) bool."""
    return part.per_channel(part.bounds) if isinstance(part, Overwritten) else part.crop(part.bounds)[None]


def _elements(part: Region) -> int:
    return part.elements if isinstance(part, Overwritten) else part.count
