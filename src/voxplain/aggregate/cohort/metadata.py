"""What is known of cases besides their attributions: age, sex, scanner, site, Dice."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort.matrix import Numbers
from voxplain.aggregate.cohort.source import fetched, run
from voxplain.aggregate.cohort.told import Told
from voxplain.errors import InputError, suggest

if TYPE_CHECKING:
    import duckdb

NUMERIC = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\)")
# neither a number nor a name for a group of cases; lists and arrays end in a bracket
NO_COLUMN = re.compile(r"(STRUCT|MAP|UNION|VARIANT|INTERVAL|BLOB|BIT)\b.*|.*\]")


@dataclass(frozen=True, eq=False)
class Column(Told):
    """One thing that is known of every case, or not known.

    Attributes:
        numbers: (cases,) NaN where not known; None for a categorical column.
        labels: (cases,) text, None where not known; for a numeric column its numbers as text.
        only: the one target that the column is about (`dice:liver`), or None for all.
    """

    name: str
    numbers: Numbers | None
    labels: tuple[str | None, ...]
    only: str | None = None

    @property
    def kind(self) -> Literal["numeric", "categorical"]:
        """Which of both."""
        return "categorical" if self.numbers is None else "numeric"

    @property
    def categories(self) -> tuple[str, ...]:
        """Distinct labels, sorted."""
        return tuple(sorted({v for v in self.labels if v is not None}))


@dataclass(frozen=True, eq=False)
class Metadata(Told):
    """Columns over the cohort's cases, in their order.

    Attributes:
        columns: by name.
        without: cases of the tables that have no row of metadata.
        unused: cases of the metadata that have no row in the tables.
    """

    cases: tuple[str, ...]
    columns: dict[str, Column]
    without: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """One of them.

        Raises:
            InputError: no such column.
        """
        if name not in self.columns:
            raise InputError(f"metadata column {name!r}: not there; {suggest(name, self.columns)}")
        return self.columns[name]

    def labels(self, name: str) -> tuple[str | None, ...]:
        """(cases,) a column as groups, None where it is not known."""
        return self.column(name).labels


def read_columns(connection: duckdb.DuckDBPyConnection, cases: tuple[str, ...]) -> Metadata:
    """The view `metadata`, put into the order of these cases; a warning names columns of lists, durations and the like."""
    kinds = {row[0]: row[1] for row in run(connection, "DESCRIBE metadata", "metadata")}
    unfit = {name: kind for name, kind in kinds.items() if NO_COLUMN.fullmatch(kind)}
    if unfit:
        told = ", ".join(f"{name} ({kind.partition('(')[0]})" for name, kind in unfit.items())
        warnings.warn(
            f"metadata: left out {told}; expected numbers, text, dates or truth values", stacklevel=2
        )
    names, rows = fetched(connection, "SELECT * FROM metadata", "metadata")
    known = {row[names.index("case")]: row for row in rows}
    empty = (None,) * len(names)
    table = [known.get(c, empty) for c in cases]
    columns = {}
    for j, column in enumerate(names):
        if column != "case" and column not in unfit:
            numeric = NUMERIC.fullmatch(kinds[column]) is not None
            columns[column] = make_column(column, [row[j] for row in table], numeric=numeric)
    without = tuple(c for c in cases if c not in known)
    return Metadata(cases, columns, without, tuple(str(c) for c in known if c not in set(cases)))


def make_column(name: str, values: list[object], *, numeric: bool) -> Column:
    """A column of these values; `dice:liver` is about the target `liver` alone.

    >>> make_column("dice:liver", [0.9, None], numeric=True).only
    'liver'
    """
    only = name.partition(":")[2] or None
    if not numeric:
        return Column(name, None, tuple(None if v is None else str(v) for v in values), only)
    numbers: NDArray[np.float64] = np.array(
        [np.nan if v is None else float(str(v)) for v in values], dtype=np.float64
    )
    labels = tuple(None if np.isnan(v) else f"{v:g}" for v in numbers)
    return Column(name, numbers, labels, only)
