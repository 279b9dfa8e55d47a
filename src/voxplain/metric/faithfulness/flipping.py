"""Pixel flipping, region perturbation, IROF and ROAD: what is lost by the map's first places, and not by its last."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from voxplain.attribution.regions import boxes, supervoxels
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.metric.faithfulness.by_order import ByOrder, Numbers, Reading
from voxplain.metric.faithfulness.filling import Fill
from voxplain.metric.faithfulness.ladder import Range
from voxplain.metric.faithfulness.order import Parts
from voxplain.metric.faithfulness.schedule import area
from voxplain.metric.figure import Figure
from voxplain.metric.metric import register

Direction = Literal["morf", "lerf", "both"]
PARTS_PER_AXIS = 8  # of region perturbation, along the longest axis, where no size is given


@dataclass(frozen=True)
class ByFlips(ByOrder):
    """What is lost while places of the order go.

    With ``m`` the normalised scores without the most relevant places, ``l`` without the least relevant, and ``m₀`` the
    clean one: ``morf`` sums up ``m₀ − m``, ``lerf`` ``l`` itself, ``both`` ``l − m``. Each is better the higher.

    Args:
        order: ``morf`` (most relevant first), ``lerf`` (least relevant first) or ``both``, the gap between them, which
            costs twice as many passes.
    """

    order: Direction = "morf"

    divides: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.order not in ("morf", "lerf", "both"):
            raise InputError(f"{self.name}: found order={self.order!r}, expected 'morf', 'lerf' or 'both'")

    @abstractmethod
    def summed(self, counts: Sequence[int], gains: Numbers) -> float:
        """One number from the gains at 0 and at the counts."""

    def ranges(self, counts: Sequence[int], total: int) -> list[Range]:
        first = [(0, k) for k in (0, *counts)] if self.order != "lerf" else []
        last = [(total - k, total) for k in (0, *counts)] if self.order != "morf" else []
        return [*first, *last]

    def figure(self, reading: Reading) -> Figure:
        counts = reading.order.counts
        c = reading.normalized(reading.scores(self.ranges(counts, reading.order.total)))
        n = len(counts) + 1
        gains = c[n:] - c[:n] if self.order == "both" else c if self.order == "lerf" else c[0] - c
        curve = gains if self.order == "both" else c
        return Figure(self.summed(counts, np.asarray(gains)), curve=tuple(curve.tolist()))


@register
@dataclass(frozen=True)
class PixelFlipping(ByFlips):
    """Area over the curve of single voxels, ``Σ_k (u_{k+1} − u_k) (g_k + g_{k+1}) / 2`` of the gains g."""

    name: ClassVar[str] = "pixel_flipping"
    family: ClassVar[str] = "faithfulness"
    title: ClassVar[str] = "Pixel flipping"
    source: ClassVar[str] = "Bach et al. 2015, doi:10.1371/journal.pone.0130140"
    reads: ClassVar[str] = "mean loss of score while the map's first voxels go; a random order loses evenly"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    span: ClassVar[tuple[float, float]] = (-float("inf"), float("inf"))

    def summed(self, counts: Sequence[int], gains: Numbers) -> float:
        return area(self.read_at.positions(counts), gains)


@register
@dataclass(frozen=True)
class RegionPerturbation(ByFlips):
    """``AOPC = Σ_{k=0}^{L} g_k / (L + 1)``: boxes go in the order of the map's sum in them (Samek et al.).

    Args:
        size: edge of the boxes in voxels, one number or one per axis; an eighth of the longest axis by default.
    """

    name: ClassVar[str] = "region_perturbation"
    family: ClassVar[str] = "faithfulness"
    title: ClassVar[str] = "Region perturbation"
    source: ClassVar[str] = "Samek et al. 2017, arXiv:1509.06321"
    reads: ClassVar[str] = "mean loss of score while the map's first boxes go (AOPC); higher: they carry it"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    span: ClassVar[tuple[float, float]] = (-float("inf"), float("inf"))

    size: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.size is not None and np.min(self.size) < 1:
            raise InputError(f"{self.name}: found size={self.size}, expected at least 1 on every axis")

    def parts(self, problem: Problem) -> Parts:
        shape = problem.spatial_shape
        size = -(-max(shape) // PARTS_PER_AXIS) if self.size is None else self.size
        edges = (size,) * len(shape) if isinstance(size, int) else tuple(size)
        if len(edges) != len(shape):
            raise InputError(
                f"{self.name}: size has {len(edges)} numbers {edges}, expected one or {len(shape)}"
            )
        return Parts.of(boxes(shape, edges, edges, self.name), shape, mean=False)

    def summed(self, counts: Sequence[int], gains: Numbers) -> float:
        return float(gains.mean())


@register
@dataclass(frozen=True)
class IROF(ByFlips):
    """Area over the curve of supervoxels that go in the order of the map's mean in them.

    Args:
        supervoxels: roughly how many SLIC supervoxels (superpixels in 2-D).
    """

    name: ClassVar[str] = "irof"
    family: ClassVar[str] = "faithfulness"
    title: ClassVar[str] = "Iterative removal of features"
    source: ClassVar[str] = "Rieger & Hansen 2020, arXiv:2003.08747"
    reads: ClassVar[str] = "mean loss of score while the map's first supervoxels go; higher: they carry it"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    span: ClassVar[tuple[float, float]] = (-float("inf"), float("inf"))

    baseline: Fill = "mean"
    supervoxels: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.supervoxels < 2:
            raise InputError(f"{self.name}: found supervoxels={self.supervoxels}, expected at least 2")

    def parts(self, problem: Problem) -> Parts:
        return Parts.of(supervoxels(problem, self.supervoxels), problem.spatial_shape, mean=True)

    def summed(self, counts: Sequence[int], gains: Numbers) -> float:
        return area(self.read_at.positions(counts), gains)


@register
@dataclass(frozen=True)
class ROAD(ByFlips):
    """``Σ_{k=1}^{K} g_k / K`` of voxels that are filled in from their neighbours, so that the hole tells little.

    The published figure is the accuracy over many images at each fraction; on one image this is the score.
    """

    name: ClassVar[str] = "road"
    family: ClassVar[str] = "faithfulness"
    title: ClassVar[str] = "Remove and debias"
    source: ClassVar[str] = "Rong et al. 2022, arXiv:2202.00449"
    reads: ClassVar[str] = "mean loss of score while the map's first voxels are filled in from the others"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    span: ClassVar[tuple[float, float]] = (-float("inf"), float("inf"))

    steps: int = 9
    upto: float = 0.9
    baseline: Fill = "infill"

    def summed(self, counts: Sequence[int], gains: Numbers) -> float:
        return float(gains[1:].mean())
