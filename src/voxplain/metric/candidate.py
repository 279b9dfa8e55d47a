"""A map that is judged: a method's, or a null that a good map must beat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from torch import Tensor

if TYPE_CHECKING:
    from voxplain.attribution import Attribution

# What a voxel's value says: the score's slope there, its share of the score, or only which voxel matters more.
Meaning = Literal["slope", "share", "rank"]
MEANINGS: dict[str, Meaning] = {
    "score per unit of intensity": "slope",
    "score": "share",
    "score per voxel": "share",
    "lost score per voxel": "share",
}


@dataclass(frozen=True)
class Candidate:
    """Signed maps of all targets, with what they claim.

    Attributes:
        name: as tables show it.
        values: target index -> (C or 1, *spatial) on the prepared grid.
        targets: those that it has maps of.
        meaning: ``slope`` (∂F/∂x), ``share`` (sums to a difference of scores) or ``rank`` (an order at most).
        null: whether it is there to be beaten.
        attribution: where it comes from; none for a null that asks no network.
    """

    name: str
    values: Callable[[int], Tensor]
    targets: frozenset[int]
    meaning: Meaning
    null: bool = False
    attribution: Attribution | None = None

    @property
    def knows_nothing(self) -> bool:
        """Whether it is a null that asks no network: one and the same map for all targets."""
        return self.null and self.attribution is None


def judged(attribution: Attribution, name: str | None = None, *, null: bool = False) -> Candidate:
    """A method's maps as a candidate; targets whose map failed are left out."""
    there = [t for t, answer in enumerate(attribution.answers) if answer.status in ("ok", "zero")]
    return Candidate(
        name=name or attribution.method,
        values=partial(_values, attribution),
        targets=frozenset(there),
        meaning=meaning_of(attribution),
        null=null,
        attribution=attribution,
    )


def meaning_of(attribution: Attribution) -> Meaning:
    """What its values are, by their unit; shares that do not add up over voxels are no more than an order."""
    found = MEANINGS.get(attribution.unit, "rank")
    return "rank" if found == "share" and attribution.voxel_power == 0 else found


def _values(attribution: Attribution, target: int) -> Tensor:
    return attribution.values(target)
