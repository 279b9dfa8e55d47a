"""Everything that an entry must beat: what volume, distance and networks with redrawn weights would give a region."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from voxplain.aggregate.cohort.beats import Beaten, beats
from voxplain.aggregate.cohort.cohort import Cohort
from voxplain.aggregate.cohort.inventory import Inventory, inventories
from voxplain.aggregate.cohort.matrix import Matrix
from voxplain.aggregate.cohort.networks import WEIGHTS
from voxplain.aggregate.cohort.nulls import by_distance, by_volume
from voxplain.aggregate.long_table import JOINER
from voxplain.aggregate.tables.make import DISTANCE
from voxplain.errors import InputError

VOLUME, NEARNESS = "volume", "distance"


@dataclass(frozen=True, eq=False)
class Expected:
    """What regions would get of a target if the network did not care which region is which.

    Attributes:
        nulls: shares by "volume" and "distance", those that the tables allow.
        redrawn: shares of networks with redrawn weights, each case of each matrix of another network.
        notes: why one lacks.
    """

    nulls: Mapping[str, Matrix]
    redrawn: tuple[Matrix, ...] = ()
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.nulls or self.redrawn)

    def pick(self, cases: Sequence[str]) -> Expected:
        """Of these cases."""
        nulls = {name: m.pick(cases=cases) for name, m in self.nulls.items()}
        return replace(self, nulls=nulls, redrawn=tuple(m.pick(cases=cases) for m in self.redrawn))

    def against(self, mass: Matrix, *, level: float = 0.05) -> Beaten | None:
        """Which entries are more, see `beats`; None where nothing is expected."""
        return beats(mass, self.nulls, redrawn=self.redrawn, level=level) if self else None


def expected(cohort: Cohort, mass: Matrix) -> Expected:
    """All nulls of a matrix of shares that the cohort's tables allow.

    Args:
        mass: ``cohort.matrix("mass", method=…, partition=…)``.

    >>> # expected(cohort, mass).against(mass).mask
    """
    known = inventories(cohort, [mass.model])[0]
    counts = sizes(cohort, known, mass.method, mass.partition)
    nulls: dict[str, Matrix] = {}
    notes: list[str] = []
    if counts is None:
        notes.append(f"no null of volume: nobody counted voxels of the {mass.partition} regions")
    else:
        nulls[VOLUME] = by_volume(counts, mass)
    _add_distance(nulls, notes, cohort, known, mass)
    return Expected(nulls, _redrawn(notes, cohort, known, mass), tuple(notes))


def sizes(cohort: Cohort, known: Inventory, method: str, partition: str) -> Matrix | None:
    """Voxels of every region, from any rows that tell them."""
    found = known.size(partition, method)
    if found is None:
        return None
    return cohort.matrix(found[1], model=known.model, method=found[0], partition=partition)


def _add_distance(
    nulls: dict[str, Matrix], notes: list[str], cohort: Cohort, known: Inventory, mass: Matrix
) -> None:
    pairs = f"{mass.partition}{JOINER}{DISTANCE}"
    counted = known.size(pairs, mass.method)
    if counted is None or not known.has(mass.method, DISTANCE, "mass"):
        notes.append(
            f"no null of distance: nobody counted voxels of {mass.partition} regions at every distance from the target"
        )
        return
    try:
        shells = cohort.matrix("mass", model=known.model, method=mass.method, partition=DISTANCE)
        counts = cohort.matrix(counted[1], model=known.model, method=counted[0], partition=pairs)
        nulls[NEARNESS] = by_distance(shells, counts, mass)
    except InputError as problem:
        notes.append(f"no null of distance: {problem}")


def _redrawn(notes: list[str], cohort: Cohort, known: Inventory, mass: Matrix) -> tuple[Matrix, ...]:
    names = known.redrawn(mass.method)
    if not names:
        notes.append(
            f"no null of {WEIGHTS}: {mass.method} was not run on networks with redrawn weights, so that what "
            "is coloured may be what any network gives"
        )
    made = []
    for name in names:
        try:
            found = cohort.matrix("mass", model=known.model, method=name, partition=mass.partition)
            made.append(found.pick(targets=mass.targets, regions=mass.regions))
        except InputError as problem:
            notes.append(f"no null of {WEIGHTS}: {problem}")
    return tuple(made)
