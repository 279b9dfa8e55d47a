"""Tables as DuckDB and pandas read them."""

from __future__ import annotations

import glob
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from voxplain.study.results.tables import FIGURES, MAPS, gather_parquet, write_csv, write_parquet

NAN, INF = float("nan"), float("inf")


def read(path: Path) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        found = connection.execute("SELECT * FROM read_parquet($1)", [glob.escape(str(path))])
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def types(path: Path) -> dict[str, str]:
    with duckdb.connect() as connection:
        rows = connection.execute("DESCRIBE SELECT * FROM read_parquet($1)", [str(path)]).fetchall()
    return {row[0]: row[1] for row in rows}


def test_types_are_those_declared_whatever_the_values(tmp_path: Path) -> None:
    rows = [{"case": "1", "value": 1, "seed": 3, "tells": None, "null_zero": 2, "excess": NAN}]
    path = write_parquet(tmp_path / "t.parquet", rows, FIGURES)
    assert types(path) == {**FIGURES, "null_zero": "DOUBLE", "excess": "DOUBLE"}
    assert list(types(path))[: len(FIGURES)] == list(FIGURES)
    (row,) = read(path)
    assert (row["case"], row["value"], row["seed"], row["null_zero"]) == ("1", 1.0, 3, 2.0)
    assert (row["tells"], row["excess"], row["note"]) == (None, None, None)


@pytest.mark.parametrize(
    ("column", "value", "means"),
    [
        ("value", NAN, None),
        ("value", INF, INF),
        ("value", -INF, -INF),
        ("value", 1e-300, 1e-300),
        ("value", 0.1, 0.1),
        ("value", np.float32(0.5), 0.5),
        ("value", np.float64("nan"), None),
        ("value", np.float32("inf"), INF),
        ("further", INF, INF),
        ("further", np.float64("-inf"), -INF),
        ("further", "words", "words"),
        ("tells", True, True),
        ("tells", np.bool_(False), False),
        ("tells", None, None),
        ("seed", 2**63 - 1, 2**63 - 1),
        ("seed", np.int64(7), 7),
        ("note", "", ""),
        ("note", 'it\'s "so";\n\ttwo lines \\ NULL', 'it\'s "so";\n\ttwo lines \\ NULL'),
        ("note", "Größe \u2028 😀 \x00", "Größe \u2028 😀 \x00"),
        ("note", "007", "007"),
        ("note", "2024-01-01", "2024-01-01"),
        ("note", "a\udcffb", "a?b"),
        ("note", Path("a/b"), "a/b"),
    ],
)
def test_values_come_back_as_they_were(tmp_path: Path, column: str, value: Any, means: Any) -> None:
    (row,) = read(write_parquet(tmp_path / "t.parquet", [{column: value}], FIGURES))
    assert row[column] == means
    assert type(row[column]) is type(means)


@pytest.mark.parametrize(
    "name", ["it's", 'say "so"', "a, b", "select", "1", "ä ö", "x);--", "{y}", "\\n", "  "]
)
@pytest.mark.parametrize("count", [0, 1])
def test_columns_of_any_name(tmp_path: Path, name: str, count: int) -> None:
    path = write_parquet(tmp_path / "t.parquet", [{name: 1.5}] * count, {name: "DOUBLE"})
    assert types(path) == {name: "DOUBLE"}
    assert read(path) == [{name: 1.5}] * count


def test_columns_that_differ_in_letter_case_alone_stay_two(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "t.parquet", [{"value": 1.0, "Value": 2.0}], FIGURES)
    assert (read(path)[0]["value"], read(path)[0]["Value_"]) == (1.0, 2.0)


def test_no_rows_are_a_table_with_all_columns(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "deep" / "t.parquet", [], MAPS)
    assert types(path) == MAPS
    assert read(path) == []


@pytest.mark.parametrize("folder", ["plain", "it's", "a[1]", "b*", "c?", "{d}", 'e"e', "ä b"])
def test_folders_of_any_name(tmp_path: Path, folder: str) -> None:
    """Some characters are patterns to DuckDB: what lies beside must not be read."""
    for other in ("a1", "bb", "cc"):
        write_parquet(tmp_path / other / "t.parquet", [{"x": 2.0}], {})
    path = write_parquet(tmp_path / folder / "t.parquet", [{"x": 1.0}], {})
    gathered = gather_parquet(tmp_path / folder / "all.parquet", [path])
    assert read(path) == read(gathered) == [{"x": 1.0}]
    assert sorted(p.name for p in (tmp_path / folder).iterdir()) == ["all.parquet", "t.parquet"]


def test_parts_whose_columns_differ_are_one_table(tmp_path: Path) -> None:
    parts = [
        write_parquet(tmp_path / "1.parquet", [{"case": "1", "null_zero": 1.0}], FIGURES),
        write_parquet(tmp_path / "2.parquet", [], FIGURES),
        write_parquet(tmp_path / "3.parquet", [{"case": "3", "null_edges": 3.0, "extra": "text"}], FIGURES),
    ]
    path = gather_parquet(tmp_path / "all.parquet", parts)
    assert types(path) == {**FIGURES, "null_zero": "DOUBLE", "null_edges": "DOUBLE", "extra": "VARCHAR"}
    found = [(r["case"], r["null_zero"], r["null_edges"], r["extra"]) for r in read(path)]
    assert found == [("1", 1.0, None, None), ("3", None, 3.0, "text")]


def test_a_column_that_is_text_in_one_part_is_text_in_all(tmp_path: Path) -> None:
    parts = [
        write_parquet(tmp_path / f"{i}.parquet", [{"extra": value}], FIGURES)
        for i, value in enumerate([1.5, "x"])
    ]
    assert [r["extra"] for r in read(gather_parquet(tmp_path / "all.parquet", parts))] == ["1.5", "x"]


def test_pandas_reads_them(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = write_parquet(tmp_path / "t.parquet", [{"case": "1", "value": NAN, "tells": True}], FIGURES)
    found = pandas.read_parquet(path)
    assert list(found.columns) == list(FIGURES)
    assert found["case"][0] == "1"
    assert np.isnan(found["value"][0])


def test_csv_for_people(tmp_path: Path) -> None:
    rows = [{"model": "a", "text": 'say "so", or', "p": NAN}, {"model": "b", "rank": 2}]
    path = write_csv(tmp_path / "t.csv", rows)
    assert path.read_text(encoding="utf-8") == 'model,text,p,rank\na,"say ""so"", or",,\nb,,,2\n'
    found = duckdb.sql(f"SELECT * FROM '{path}' ORDER BY model").fetchall()
    assert found == [("a", 'say "so", or', None, None), ("b", None, None, 2)]


def test_csv_of_nothing_has_a_header_where_it_is_known(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", [], ("model", "first"))
    assert path.read_text(encoding="utf-8") == "model,first\n"
    with duckdb.connect() as connection:
        assert (
            connection.execute(f"SELECT model, first FROM read_csv('{path}', header=true)").fetchall() == []
        )


def test_csv_of_names_that_are_no_text(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "t.csv", [{"case": "a\udcffb"}])
    assert path.read_bytes() == b"case\na?b\n"


FULL = """
import resource, sys
from pathlib import Path
from voxplain.errors import StorageError
from voxplain.study.results.tables import FIGURES, gather_parquet, write_parquet

folder, what, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
import duckdb
duckdb.connect().close()
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    if what == "rows":
        write_parquet(folder / "new.parquet", [{"case": "a", "value": 0.1}] * 1000, FIGURES)
    elif what == "table":
        write_parquet(folder / "new.parquet", [{"case": "a"}], FIGURES)
    else:
        gather_parquet(folder / "new.parquet", [folder / "part.parquet"] * 3)
except StorageError as error:
    print(error)
"""


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize(("what", "limit"), [("rows", 1_000), ("table", 1_000), ("gather", 10_000)])
def test_a_table_is_whole_or_not_there_on_a_full_disk(
    tmp_path: Path, what: str, limit: int, there: bool
) -> None:
    """A limit on file sizes makes every larger write fail as on a full disk: of the rows, or of the table."""
    rows = [{"case": f"{i * 7919 % 10007}", "value": i * 0.1} for i in range(20_000)]
    write_parquet(tmp_path / "part.parquet", rows, FIGURES)
    if there:
        write_parquet(tmp_path / "new.parquet", [{"case": "old"}], FIGURES)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path), what, str(limit)], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert f"{tmp_path}/new.parquet: cannot be written" in ran.stdout
    assert ran.stdout.count("\n") == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
