"""The order in which a map says that voxels, or parts of some voxels, matter."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxplain.engine import Problem
from voxplain.metric.candidate import Candidate
from voxplain.metric.faithfulness.filling import Filling
from voxplain.metric.faithfulness.schedule import Schedule
from voxplain.target.region import Region

SEED_SALT = 0x71E5
RANDOM_SALT = 0x4A1F


@dataclass(frozen=True, eq=False)
class Parts:
    """A partition of the image.

    Attributes:
        labels: (*spatial) int64, the number of each voxel's part.
        count: how many.
        mean: whether a part's value is the mean of its voxels' rather than their sum.
    """

    labels: NDArray[np.int64]
    count: int
    mean: bool

    @property
    def key(self) -> str:
        """Tells partitions apart by content."""
        return _digest(self.labels)

    @classmethod
    def of(cls, regions: Sequence[Region], shape: tuple[int, ...], *, mean: bool) -> Parts:
        """Regions that cover the image without overlap; empty ones are left out."""
        labels = np.zeros(shape, dtype=np.int64)
        held = [r for r in regions if r.count]
        for number, region in enumerate(held):
            labels[region.bounds][region.crop(region.bounds).numpy()] = number
        return cls(labels, len(held), mean)

    def values(self, claims: NDArray[np.float64]) -> NDArray[np.float64]:
        """(parts,) of voxels' values (*spatial)."""
        flat = self.labels.ravel()
        sums = np.bincount(flat, claims.ravel(), self.count).astype(np.float64)
        return sums / np.bincount(flat, minlength=self.count) if self.mean else sums


@dataclass(frozen=True, eq=False)
class Order:
    """Voxels or parts by a map, the most in favour of the score first.

    Attributes:
        rank: (*spatial) int32, each voxel's place (or its part's); 0 is the most in favour.
        total: number of places.
        counts: numbers of places at which a curve is read, ascending.
        claimed: (counts,) what the map says that the places from one count to the next are worth together.
        key: tells orders apart by content.
    """

    rank: Tensor
    total: int
    counts: tuple[int, ...]
    claimed: NDArray[np.float64]
    key: str

    def light(self) -> Order:
        """The order without its image, to be kept beside many others."""
        return replace(self, rank=self.rank.new_empty(0))


def claims(problem: Problem, candidate: Candidate, target: int, fill: Filling) -> NDArray[np.float64]:
    """What a map says that each voxel is worth, (*spatial): channels added up, a slope times ``x(v) − fill(v)``."""
    values = candidate.values(target)
    if candidate.meaning == "slope":
        values = values * (problem.image - fill.alone).to(values.dtype)
    return np.asarray(values.double().sum(0).numpy())


def order(
    problem: Problem, claim: NDArray[np.float64], target: int, parts: Parts | None, schedule: Schedule
) -> Order:
    """The order of claims (*spatial) by sign and size; ties in a random order of the problem's seed.

    So a map that is constant, or zero, asks for a random order.
    """
    values = claim.ravel() if parts is None else parts.values(claim)
    worth = values if parts is None else np.bincount(parts.labels.ravel(), claim.ravel(), parts.count)
    rng = np.random.default_rng([problem.seed, target, SEED_SALT])
    places = np.lexsort((rng.permutation(len(values)), -values))
    rank = np.empty(len(values), dtype=np.int32)
    rank[places] = np.arange(len(values), dtype=np.int32)
    voxels = rank.reshape(claim.shape) if parts is None else rank[parts.labels]
    counts = schedule.counts(len(values))
    starts = [0, *counts[:-1]]
    return Order(
        rank=torch.from_numpy(voxels),
        total=len(values),
        counts=counts,
        claimed=np.array([worth[places[a:b]].sum() for a, b in zip(starts, counts, strict=True)]),
        key=_digest(voxels),
    )


def random_order(problem: Problem, parts: Parts | None, draw: int) -> Order:
    """An order of no map, of the problem's seed; it is read half way."""
    total = math.prod(problem.spatial_shape) if parts is None else parts.count
    rank = np.random.default_rng([problem.seed, draw, RANDOM_SALT]).permutation(total).astype(np.int32)
    voxels = rank.reshape(problem.spatial_shape) if parts is None else rank[parts.labels]
    return Order(torch.from_numpy(voxels), total, (total // 2,), np.zeros(1), _digest(voxels))


def _digest(numbers: NDArray[Any]) -> str:
    return hashlib.blake2b(np.ascontiguousarray(numbers).tobytes(), digest_size=16).hexdigest()
