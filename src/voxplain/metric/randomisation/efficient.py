"""Efficient randomisation test: whether the map gets more complex once the network knows nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from voxplain.errors import InputError
from voxplain.metric.metric import register
from voxplain.metric.randomisation.likeness import Likeness
from voxplain.metric.randomisation.mprt import ByRandomisation
from voxplain.metric.randomisation.redraw import Draw, check_draw
from voxplain.metric.randomisation.stages import ALL, Stages


@register
@dataclass(frozen=True)
class EfficientMprt(ByRandomisation):
    """``(ξ(a') − ξ(a)) / ξ(a)`` with a' the map once all weights are redrawn (Hedström et al. 2024).

    ξ is the entropy of the histogram of a map's values (100 bins of equal width).

    Args:
        how: new weights are a ``permutation`` of each tensor's own, or ``normal`` with its mean and standard deviation.
        draws: networks; three or more give an interval.
    """

    how: Draw = "permutation"
    draws: int = 3

    name: ClassVar[str] = "efficient_mprt"
    title: ClassVar[str] = "Randomised weights: rise of complexity"
    source: ClassVar[str] = "Hedström et al. 2024, arXiv:2401.06465"
    reads: ClassVar[str] = (
        "relative rise of the map's entropy once the network has random weights; 0: the map is no simpler for what "
        "the network has learned"
    )
    better: ClassVar[Literal["higher", "lower", "neither"]] = "higher"
    span: ClassVar[tuple[float, float]] = (-1.0, float("inf"))

    def __post_init__(self) -> None:
        if self.draws < 1:
            raise InputError(f"{self.name}: found draws={self.draws}, expected at least 1")
        check_draw(self.name, self.how)

    @property
    def stages(self) -> Stages:
        return Stages(ALL, 1, self.how, self.draws)

    def number(self, found: Likeness) -> float:
        return (found.after - found.before) / found.before if found.before > 0 else float("nan")
