"""Parquet through DuckDB: whole files or none, and paths that are taken as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def copy_as_parquet(source: str, to: Path, tables: Mapping[str, object] | None = None) -> None:
    """Write what can be selected from ``source``, in SQL.

    Args:
        tables: by the name under which ``source`` knows them, such as columns as NumPy arrays by name.

    Raises:
        OSError: it cannot be written.
    """
    import duckdb

    with as_os_error(), duckdb.connect() as connection:
        for name, table in (tables or {}).items():
            connection.register(name, table)
        connection.execute(f"COPY (SELECT * FROM {source}) TO {quoted(str(to))} (FORMAT parquet)")


@contextmanager
def as_os_error() -> Iterator[None]:
    """A full disk, as Python tells it."""
    import duckdb

    try:
        yield
    except duckdb.IOException as error:
        raise OSError(None, " ".join(str(error).split())) from error


def quoted_path(path: Path) -> str:
    """A path to read from; DuckDB would take a folder's brackets, stars and question marks for a pattern."""
    return quoted(re.sub(r"[\[*?]", r"[\g<0>]", str(path)))


def quoted(text: str) -> str:
    """Text in SQL."""
    return "'" + text.replace("'", "''") + "'"
