"""Results as tidy rows: one number per row, with everything that says what it is of."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxplain.errors import InputError
from voxplain.inherent.bootstrap import Interval

Row = dict[str, Any]
# every row has all columns, so that a table of them has one shape
COLUMNS: dict[str, Any] = {
    "part": "",
    "score": "",
    "threshold": "",
    "supervision": "",
    "oracle": False,
    "mask": "",
    "class": "",
    "stratum": "all",
    "metric": "",
    "value": float("nan"),
    "low": float("nan"),
    "high": float("nan"),
    "cases": 0,
    "patients": 0,
}


def row(part: str, metric: str, number: Interval, **columns: Any) -> Row:
    """One number, with the columns that are given and the others as they are by default.

    Raises:
        InputError: a column that there is not.
    """
    unknown = set(columns) - set(COLUMNS)
    if unknown:
        raise InputError(
            f"row: found the column {sorted(unknown)[0]!r}, expected some of {', '.join(COLUMNS)}"
        )
    told = {"part": part, "metric": metric, "value": number.value, "low": number.low, "high": number.high}
    return {**COLUMNS, **told, **columns}


@dataclass(frozen=True, eq=False)
class Result:
    """Rows of one evaluation.

    Attributes:
        rows: one number each, with all of `COLUMNS`.
        cases: a row per case, score, threshold and state of the mask; what the numbers were made from.
    """

    rows: list[Row]
    cases: list[Row]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __add__(self, other: Result) -> Result:
        return Result([*self.rows, *other.rows], [*self.cases, *other.cases])

    def where(self, **columns: Any) -> list[Row]:
        """The rows with these values, such as ``metric="dice", oracle=False``."""
        return [r for r in self.rows if all(r[c] == v for c, v in columns.items())]

    def value(self, **columns: Any) -> float:
        """The one number with these values.

        Raises:
            InputError: there is none, or more than one.
        """
        found = self.where(**columns)
        if len(found) != 1:
            raise InputError(f"result: found {len(found)} rows with {columns}, expected one")
        return float(found[0]["value"])

    def write(self, path: Path | str) -> Path:
        """Write the rows, whole or not at all; ``.csv`` or ``.parquet``.

        Raises:
            InputError: another suffix.
            StorageError: the file cannot be written.
        """
        return write_rows(self.rows, path)

    def write_cases(self, path: Path | str) -> Path:
        """The same of the rows per case."""
        return write_rows(self.cases, path)


def write_rows(rows: list[Row], path: Path | str) -> Path:
    """Write rows that all have the same columns as CSV or Parquet. Infinity stays; NaN is "nan" in CSV, NULL in Parquet.

    Raises:
        InputError: another suffix, no row, or rows with other columns than the first.
        StorageError: the file cannot be written.
    """
    from voxplain.case.atomic import whole
    from voxplain.case.parquet import copy_as_parquet

    path = Path(path)
    if path.suffix not in (".csv", ".parquet"):
        raise InputError(f"{path}: found the suffix {path.suffix!r}, expected .csv or .parquet")
    if not rows or any(r.keys() != rows[0].keys() for r in rows):
        raise InputError(
            f"{path}: found {len(rows)} rows of unlike columns, expected at least one, all alike"
        )
    with whole(path, parents=True) as temporary:
        if path.suffix == ".csv":
            with temporary.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        else:
            columns = {name: _column([r[name] for r in rows]) for name in rows[0]}
            copy_as_parquet("rows_", temporary, {"rows_": columns})
    return path


def _column(values: list[Any]) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=object) if isinstance(values[0], str) else np.array(values)
