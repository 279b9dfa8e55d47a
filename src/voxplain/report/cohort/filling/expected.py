"""Everything that an entry must beat: what volume, distance and networks with redrawn weights would give a region."""

from __future__ import annotations

from voxplain.aggregate.cohort import Cohort, Matrix, by_distance, by_volume
from voxplain.aggregate.cohort.nulls import JOINER
from voxplain.aggregate.tables.make import DISTANCE
from voxplain.errors import InputError
from voxplain.report.cohort.filling.inventory import Inventory

VOLUME, NEARNESS, WEIGHTS = "volume", "distance", "redrawn weights"


def sizes(cohort: Cohort, known: Inventory, method: str, partition: str) -> Matrix | None:
    """Voxels of every region, from any rows that tell them."""
    found = known.size(partition, method)
    if found is None:
        return None
    return cohort.matrix(found[1], model=known.model, method=found[0], partition=partition)


def nulls(
    cohort: Cohort, known: Inventory, mass: Matrix, counts: Matrix | None
) -> tuple[dict[str, Matrix], list[str]]:
    """Expected shares by the null's name, and why one lacks."""
    made: dict[str, Matrix] = {}
    notes: list[str] = []
    if counts is None:
        notes.append(f"no null of volume: nobody counted voxels of the {mass.partition} regions")
    else:
        made[VOLUME] = by_volume(counts, mass)
    _add_distance(made, notes, cohort, known, mass)
    again = known.redrawn(mass.method)
    for number, method in enumerate(again, start=1):
        name = WEIGHTS if len(again) == 1 else f"{WEIGHTS} {number}"
        try:
            made[name] = _redrawn(cohort, known, mass, method)
        except InputError as problem:
            notes.append(f"no null of {name}: {problem}")
    if not again:
        notes.append(f"no null of {WEIGHTS}: {mass.method} was not run on a network with redrawn weights")
    return made, notes


def _add_distance(
    made: dict[str, Matrix], notes: list[str], cohort: Cohort, known: Inventory, mass: Matrix
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
        made[NEARNESS] = by_distance(shells, counts, mass)
    except InputError as problem:
        notes.append(f"no null of distance: {problem}")


def _redrawn(cohort: Cohort, known: Inventory, mass: Matrix, method: str) -> Matrix:
    found = cohort.matrix("mass", model=known.model, method=method, partition=mass.partition)
    return found.pick(targets=mass.targets, regions=mass.regions)
