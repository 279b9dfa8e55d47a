"""Matrices and tables for tests of cohorts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from voxplain.aggregate.cohort import Matrix
from voxplain.aggregate.cohort.metadata import Metadata, make_column
from voxplain.aggregate.long_table import COLUMNS, TYPES

NAN = float("nan")


def named(letter: str, count: int) -> tuple[str, ...]:
    return tuple(f"{letter}{i}" for i in range(count))


def matrix(values: Any, **given: Any) -> Matrix:
    """(cases, targets, regions); a region is present where any target has a figure, if nothing else is said."""
    v = np.asarray(values, dtype=np.float64)
    fields: dict[str, Any] = {
        "statistic": "mass",
        "method": "gradient",
        "model": "net",
        "partition": "predicted",
        "cases": named("c", v.shape[0]),
        "targets": named("t", v.shape[1]),
        "regions": named("r", v.shape[2]),
        "values": v,
        "errors": np.full(v.shape, np.nan),
        "present": ~np.isnan(v).all(1),
    }
    return Matrix(**{**fields, **given})


def metadata(count: int, **columns: Sequence[Any]) -> Metadata:
    made = {
        name.replace("__", ":"): make_column(
            name.replace("__", ":"), list(v), numeric=not any(isinstance(x, str) for x in v)
        )
        for name, v in columns.items()
    }
    return Metadata(named("c", count), made)


def row(case: str, target: str, region: str, value: float | None, **given: Any) -> dict[str, Any]:
    fields = {"model": "net", "method": "gradient", "partition": "predicted", "statistic": "mass"}
    return {
        "case": case,
        "target": target,
        "region": region,
        "value": value,
        "error": None,
        "status": "ok",
        **fields,
        **given,
    }


def write(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    kinds = ", ".join(f'"{column}" {kind}' for column, kind in TYPES.items())
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t ({kinds})")
        for r in rows:
            connection.execute(
                f"INSERT INTO t VALUES ({', '.join('?' * len(COLUMNS))})", [r[c] for c in COLUMNS]
            )
        connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    return path
