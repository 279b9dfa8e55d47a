"""Files as DuckDB views: `tables` of region rows and `metadata` of cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxplain.aggregate.cohort.separator import cut
from voxplain.aggregate.long_table import COLUMNS, TYPES
from voxplain.case.parquet import quoted, quoted_path
from voxplain.errors import InputError

if TYPE_CHECKING:
    import duckdb

DIALECT = """header=true, quote='"', escape='"', comment='', skip=0"""
# no truth values: F is a sex before it is "false"
GUESSED = "auto_type_candidates=['BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP', 'VARCHAR']"
Paths = str | Path | Sequence[str | Path]
# as R, pandas, SQL, BIDS and spreadsheets write what is not known
MISSING = "['', 'NA', 'N/A', 'n/a', '#N/A', '<NA>', 'NaN', 'nan', 'NULL', 'null', 'None']"


def files(paths: Paths) -> list[Path]:
    """Files as given; of a folder, its Parquet files by name.

    Raises:
        InputError: nothing there.
    """
    given = [paths] if isinstance(paths, (str, Path)) else list(paths)
    found: list[Path] = []
    for path in map(Path, given):
        if path.is_dir():
            inside = sorted(path.glob("*.parquet"))
            if not inside:
                raise InputError(f"tables {path}: found no .parquet file in this folder")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"tables {path}: no such file or folder")
    if not found:
        raise InputError("tables: found no path, expected at least one Parquet file")
    return found


def open_tables(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    """Make the view `tables`; `place` is a row's number in its file, which keeps the order of names.

    Raises:
        InputError: no Parquet, or columns that lack.
    """
    listed = ", ".join(quoted_path(p) for p in paths)
    source = f"read_parquet([{listed}], union_by_name=true, file_row_number=true)"
    names = {row[0] for row in run(connection, f"DESCRIBE SELECT * FROM {source}", "tables")}
    if lacking := [c for c in COLUMNS if c not in names]:
        raise InputError(
            f"tables {paths[0]}: found no column {lacking[0]!r}, expected the columns {', '.join(COLUMNS)}"
        )
    fields = ", ".join(f"{name(c)}::{kind} AS {name(c)}" for c, kind in TYPES.items())
    run(
        connection, f"CREATE VIEW placed AS SELECT {fields}, file_row_number AS place FROM {source}", "tables"
    )
    run(connection, "CREATE VIEW tables AS SELECT * EXCLUDE (place) FROM placed", "tables")


def open_metadata(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Make the view `metadata`; names of cases stay text, also those that look like numbers ("007").

    Raises:
        InputError: no such file, no column `case`, rows that do not fit the header, or a case twice.
    """
    if not path.is_file():
        raise InputError(f"metadata {path}: no such file")
    if path.suffix.lower() == ".parquet":
        source = f"read_parquet({quoted_path(path)})"
    else:
        # Nothing is left to be sniffed but types. Of cases none are: "007" would be 7.
        found = cut(path, "case")
        source = (
            f"read_csv({quoted_path(path)}, delim={quoted(found.separator)}, decimal_separator={quoted(found.decimal)}, "
            f"{DIALECT}, nullstr={MISSING}, {GUESSED}, "
            "types={'case': 'VARCHAR'}, sample_size=-1)"
        )
    columns = [row[0] for row in run(connection, f"DESCRIBE SELECT * FROM {source}", f"metadata {path}")]
    if "case" not in columns:
        raise InputError(f"metadata {path}: found no column 'case' among {', '.join(columns)}")
    run(
        connection,
        f'CREATE VIEW metadata AS SELECT * REPLACE ("case"::VARCHAR AS "case") FROM {source}',
        f"metadata {path}",
    )
    twice = run(
        connection, 'SELECT "case" FROM metadata GROUP BY "case" HAVING count(*) > 1 LIMIT 1', str(path)
    )
    if twice:
        raise InputError(f"metadata {path}: found case {twice[0][0]!r} twice, expected one row per case")


def run(
    connection: duckdb.DuckDBPyConnection, sql: str, what: str, values: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """Rows of a query.

    Raises:
        InputError: DuckDB refuses; the message is its first line.
    """
    return fetched(connection, sql, what, values)[1]


def fetched(
    connection: duckdb.DuckDBPyConnection, sql: str, what: str, values: Sequence[Any] = ()
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Names of columns, and rows."""
    import duckdb

    try:
        cursor = connection.execute(sql, list(values))
        return [c[0] for c in cursor.description or ()], cursor.fetchall()
    except duckdb.Error as error:
        raise InputError(f"{what}: {' '.join(str(error).split())}") from error


def name(text: str) -> str:
    """A name for SQL."""
    return '"' + text.replace('"', '""') + '"'
