"""Deletion and insertion: how fast the score falls, or rises, when a map's favourites go, or come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from voxplain.metric.faithfulness.by_order import ByOrder, Reading
from voxplain.metric.faithfulness.ladder import Range
from voxplain.metric.faithfulness.schedule import Kind, area
from voxplain.metric.figure import Figure
from voxplain.metric.metric import register


@dataclass(frozen=True)
class _Area(ByOrder):
    """Area under the normalised scores of a row of images.

    On a geometric schedule, the default, every step has the same weight: a small structure is decided within a few per
    cent of a volume, of which even fractions would see one point.
    """

    schedule: Kind = "geometric"

    divides: ClassVar[bool] = True

    def figure(self, reading: Reading) -> Figure:
        counts = reading.order.counts
        curve = reading.normalized(reading.scores(self.ranges(counts, reading.order.total)))
        return Figure(area(self.read_at.positions(counts), curve), curve=tuple(curve.tolist()))


@register
@dataclass(frozen=True)
class Deletion(_Area):
    """``∫ c(u) du``, c the normalised score when the first places of the map's order are gone (MoRF)."""

    name: ClassVar[str] = "deletion"
    family: ClassVar[str] = "faithfulness"
    title: ClassVar[str] = "Deletion"
    source: ClassVar[str] = "Petsiuk et al. 2018, arXiv:1806.07421"
    reads: ClassVar[str] = "area under the score while the map's favourites go: small where they carry it"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "lower"
    span: ClassVar[tuple[float, float]] = (-float("inf"), float("inf"))

    def ranges(self, counts: Sequence[int], total: int) -> list[Range]:
        return [(0, k) for k in (0, *counts)]


@register
@dataclass(frozen=True)
class Insertion(_Area):
    """``∫ c(u) du``, c the normalised score when only the first places of the map's order are there."""

    name: ClassVar[str] = "insertion"
    family: ClassVar[str] = "faithfulness"
    title: ClassVar[str] = "Insertion"
    source: ClassVar[str] = "Petsiuk et al. 2018, arXiv:1806.07421"
    reads: ClassVar[str] = "area under the score while the map's favourites come: large where they suffice"
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    span: ClassVar[tuple[float, float]] = (-float("inf"), float("inf"))

    def ranges(self, counts: Sequence[int], total: int) -> list[Range]:
        return [(k, total) for k in (0, *counts)]
