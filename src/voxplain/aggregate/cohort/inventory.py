"""What tables hold: models, methods, partitions, statistics."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from voxplain.aggregate.cohort.cohort import Cohort
from voxplain.aggregate.long_table import JOINER, SIZES
from voxplain.aggregate.tables.make import DISTANCE, RADIUS

_GAME = re.compile(r"game\(.*\)")
_REDRAWN = re.compile(r"(.+)~(redrawn-\d+)")


@dataclass(frozen=True)
class Inventory:
    """Of one model.

    Attributes:
        found: (method, partition, statistic) of all rows.
    """

    model: str
    found: frozenset[tuple[str, str, str]]

    def has(self, method: str, partition: str, statistic: str) -> bool:
        """Whether there are such rows."""
        return (method, partition, statistic) in self.found

    @property
    def methods(self) -> tuple[str, ...]:
        """Those whose attributions were summed, on the model itself."""
        names = {m for m, p, s in self.found if s == "mass" and not is_own(p)}
        return tuple(sorted(m for m in names if redrawn_of(m) is None and not is_game(m)))

    @property
    def games(self) -> tuple[str, ...]:
        """Games, by name."""
        return tuple(sorted({m for m, _, _ in self.found if is_game(m)}))

    def redrawn(self, method: str) -> tuple[str, ...]:
        """The same method on networks with redrawn weights, in their order."""
        names = {m for m, _, _ in self.found if redrawn_of(m) == method}
        return tuple(sorted(names, key=lambda m: (len(m), m)))

    def partitions(self, method: str) -> tuple[str, ...]:
        """Divisions of the image that a method was summed over; the predicted one first."""
        names = {p for m, p, s in self.found if m == method and s == "mass" and not is_own(p)}
        return tuple(sorted(names, key=lambda p: (p != "predicted", p)))

    def size(self, partition: str, *methods: str) -> tuple[str, str] | None:
        """A method and a statistic that count a partition's voxels; these methods' first."""
        others = sorted({m for m, p, _ in self.found if p == partition})
        for method in (*methods, *others):
            for statistic in SIZES:
                if self.has(method, partition, statistic):
                    return method, statistic
        return None


def inventories(cohort: Cohort, models: Sequence[str] | None = None) -> list[Inventory]:
    """What a cohort has of these models, of all by default."""
    rows = cohort.query("SELECT DISTINCT model, method, partition, statistic FROM tables")
    known = sorted({str(r["model"]) for r in rows if r["model"] is not None})
    return [
        Inventory(
            model,
            frozenset((r["method"], r["partition"], r["statistic"]) for r in rows if r["model"] == model),
        )
        for model in (known if models is None else models)
    ]


def is_game(method: str) -> bool:
    """Whether a method takes regions away."""
    return _GAME.fullmatch(method) is not None


def redrawn_of(method: str) -> str | None:
    """The method that was run on redrawn weights, where this is one.

    >>> redrawn_of("smoothgrad:draws=8~redrawn-2"), redrawn_of("gradient")
    ('smoothgrad:draws=8', None)
    """
    found = _REDRAWN.fullmatch(method)
    return found.group(1) if found else None


def is_own(partition: str) -> bool:
    """Whether a partition is about distances from the target, not about regions."""
    return partition in (DISTANCE, RADIUS) or JOINER + DISTANCE in partition
