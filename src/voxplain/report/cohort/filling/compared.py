"""What entries and outlier scores go with, and how groups of cases differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from voxplain.aggregate.cohort import (
    Beaten,
    Cohort,
    Matrix,
    Metadata,
    compare_groups,
    relate_entries,
    relate_outliers,
)
from voxplain.aggregate.cohort.metadata import Column
from voxplain.errors import InputError
from voxplain.report.cohort.filling.asked import Asked
from voxplain.report.cohort.page import Groups, Lens

FEWEST, MOST = 2, 6  # values of a column that is taken for groups
ORDERED = 3  # values from which on a number among groups is a number, too: of two, the groups' comparison says it all


def with_metadata(made: Lens, cohort: Cohort, counts: Matrix | None, asked: Asked, notes: list[str]) -> Lens:
    """The lens with everything that asks for metadata, where there are any."""
    if not cohort.has_metadata:
        notes.append("no group comparison and no relations: nothing is known of the cases (no metadata)")
        return made
    metadata = cohort.metadata
    columns = group_columns(metadata, asked)
    numeric = [c.name for c in metadata.columns.values() if _is_ordered(c, compared=c.name in columns)]
    permutations, seed = 2 * asked.permutations + 1, asked.seed
    entries = scores = None
    try:
        if numeric:
            entries = relate_entries(
                _worth_asking(made, len(numeric), permutations, asked.level, notes),
                metadata,
                columns=numeric,
                volumes=_with_regions(counts, made),
                permutations=permutations,
                seed=seed,
            )
        if metadata.columns and made.outliers is not None:
            scores = relate_outliers(
                made.outliers, metadata, volumes=counts, permutations=permutations, seed=seed
            )
    except InputError as problem:
        notes.append(f"no relations with metadata: {problem}")
    groups = [g for c in columns if (g := _compared(made, metadata, c, asked, notes)) is not None]
    return replace(made, entries=entries, scores=scores, groups=tuple(groups))


def group_columns(metadata: Metadata, asked: Asked) -> list[str]:
    """Columns whose groups are compared: those asked for, else all with few values that are about cases, not one target.

    Raises:
        InputError: an unknown column was asked for.
    """
    if asked.groups:
        return [metadata.column(name).name for name in asked.groups]
    return [c.name for c in metadata.columns.values() if _has_groups(c)]


def _has_groups(column: Column) -> bool:
    """Few values, of which some are shared: five cases of five sites are no groups."""
    known = sum(v is not None for v in column.labels)
    return column.only is None and FEWEST <= len(column.categories) <= min(MOST, known // 2)


def _is_ordered(column: Column, *, compared: bool) -> bool:
    """Whether entries are related to a column's numbers, which may be compared as groups as well."""
    return column.numbers is not None and (not compared or len(column.categories) >= ORDERED)


def _compared(made: Lens, metadata: Metadata, column: str, asked: Asked, notes: list[str]) -> Groups | None:
    # a case without a row of these regions is not one that lacks them
    labels = [v if d else None for v, d in zip(metadata.labels(column), made.mass.divided, strict=True)]
    try:
        found = compare_groups(
            made.ratios,
            labels,
            permutations=asked.permutations,
            resamples=asked.resamples,
            alpha=asked.level,
            seed=asked.seed,
        )
    except InputError as problem:
        notes.append(f"groups of {column} not compared: {problem}")
        return None
    return Groups(column, found, _within(made, labels, found.groups, asked.level))


def _within(
    made: Lens, labels: Sequence[str | None], groups: Sequence[str], level: float
) -> dict[str, Beaten]:
    """Each group's cases against the nulls, where there are enough of them."""
    told = {}
    for group in groups if made.expected else ():
        cases = [c for c, label in zip(made.mass.cases, labels, strict=True) if label == group]
        beaten = made.expected.pick(cases).against(made.mass.pick(cases=cases), level=level)
        if beaten is not None and not beaten.note:
            told[group] = beaten
    return told


def _worth_asking(made: Lens, columns: int, permutations: int, level: float, notes: list[str]) -> Matrix:
    """All entries, or, where the smallest p of so many permutations could not tell one among all, those that beat the nulls.

    Which entries these are depends on no metadata, so that the tests stay honest.
    """
    tests = columns * int((~np.isnan(made.levels.mean)).sum())
    if tests <= level * (permutations + 1) or not made.tested:
        return made.ratios
    kept = int((made.coloured & ~np.isnan(made.levels.mean)).sum())
    notes.append(
        f"metadata was related to the {kept} entries that beat the nulls only: among all {tests} relations, a single one "
        "could not be told by permutation"
    )
    return made.ratios.holding(np.where(made.coloured, made.ratios.values, np.nan), made.ratios.statistic)


def _with_regions(counts: Matrix | None, made: Lens) -> Matrix | None:
    """Volumes of all regions, or none: a rival that only some entries have would not be one table."""
    return counts if counts is not None and set(made.mass.regions) <= set(counts.regions) else None
