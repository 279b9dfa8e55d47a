"""Tables that DuckDB, pandas and R read: Parquet for the long ones, CSV for those that people look at."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from voxplain.case.atomic import whole, write_whole
from voxplain.case.parquet import copy_as_parquet, quoted, quoted_path
from voxplain.study.table import as_csv

# Of the long table of figures, with their types in SQL; further columns are numbers, or text where any is.
FIGURES = {
    "case": "VARCHAR",
    "model": "VARCHAR",
    "target": "VARCHAR",
    "method": "VARCHAR",
    "meaning": "VARCHAR",
    "metric": "VARCHAR",
    "family": "VARCHAR",
    "value": "DOUBLE",
    "low": "DOUBLE",
    "high": "DOUBLE",
    "better": "VARCHAR",
    "tells": "BOOLEAN",
    "note": "VARCHAR",
    "parameters": "VARCHAR",
    "image": "VARCHAR",
    "network": "VARCHAR",
    "seed": "BIGINT",
}
MAPS = {
    "case": "VARCHAR",
    "model": "VARCHAR",
    "method": "VARCHAR",
    "target": "VARCHAR",
    "kind": "VARCHAR",
    "class": "VARCHAR",
    "class_index": "BIGINT",
    "region_voxels": "BIGINT",
    "score_kind": "VARCHAR",
    "status": "VARCHAR",
    "forward_passes": "BIGINT",
    "backward_passes": "BIGINT",
    "seed": "BIGINT",
    "note": "VARCHAR",
}


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> Path:
    """Write rows as one Parquet file, whole or not at all; columns without a type are numbers, or text where any is.

    Raises:
        StorageError: it cannot be written.
    """
    columns = {c: types.get(c) or _type(c, rows) for c in [*types, *(key for row in rows for key in row)]}
    names = _distinct(columns)
    described = ", ".join(f"{quoted(names[c])}: '{kind}'" for c, kind in columns.items())
    with whole(path, parents=True) as temporary:
        lines = temporary.with_suffix(".jsonl")
        try:
            lines.write_text(
                "".join(json.dumps({names[k]: _value(v) for k, v in row.items()}) + "\n" for row in rows),
                encoding="utf-8",
            )
            if rows:
                source = (
                    f"read_json({quoted_path(lines)}, format='newline_delimited', columns={{{described}}})"
                )
            else:
                fields = ", ".join(f"NULL::{kind} AS {_name(names[c])}" for c, kind in columns.items())
                source = f"(SELECT {fields} LIMIT 0)"
            copy_as_parquet(source, temporary)
        finally:
            lines.unlink(missing_ok=True)
    return path


def gather_parquet(path: Path, parts: Sequence[Path]) -> Path:
    """One file of many; columns that a part lacks are empty there.

    Raises:
        StorageError: it cannot be written.
    """
    files = ", ".join(map(quoted_path, parts))
    with whole(path, parents=True) as temporary:
        copy_as_parquet(f"read_parquet([{files}], union_by_name=true)", temporary)
    return path


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str] = ()) -> Path:
    """Write rows for people, whole or not at all.

    Args:
        columns: that come first, and are there without any row, too: a file without a header is no table to any reader.
    """
    return write_whole(path, as_csv(list(rows), columns).encode(errors="replace"))


def _type(column: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Of a column that nobody has declared."""
    values = [row.get(column) for row in rows]
    return "VARCHAR" if any(isinstance(_value(v), str) and not _is_number(v) for v in values) else "DOUBLE"


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (hasattr(value, "item") and isinstance(value.item(), float))


def _distinct(columns: Iterable[str]) -> dict[str, str]:
    """Names that differ by more than letter case, which SQL does not see."""
    taken: set[str] = set()
    names = {}
    for column in columns:
        name = _text(column)
        while name.casefold() in taken:
            name += "_"
        taken.add(name.casefold())
        names[column] = name
    return names


def _value(value: Any) -> Any:
    """JSON knows neither NaN nor infinity; what is not known is null, what is infinite DuckDB reads from text."""
    if isinstance(value, float):
        return None if math.isnan(value) else value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) or value is None:
        return value
    return _value(value.item()) if hasattr(value, "item") else _text(str(value))


def _text(text: str) -> str:
    """Names of files may hold bytes that are no text."""
    return text.encode(errors="replace").decode()


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
