"""Tables of many cases as one matrix."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pytest
from aggregate.cohort.made import NAN, matrix, row, write

from voxplain.aggregate.cohort import Cohort, summarise
from voxplain.errors import InputError


def example(folder: Path) -> Path:
    """Case b has no spleen; the target liver is absent from case c. Names are not in alphabetical order."""
    write(folder / "a.parquet", [row("a", "spleen", "spleen", 0.7, error=0.1), row("a", "spleen", "liver", 0.3),
                                 row("a", "liver", "spleen", 0.2), row("a", "liver", "liver", 0.8)])  # fmt: skip
    write(folder / "b.parquet", [row("b", "spleen", "spleen", None, status="absent"), row("b", "liver", "spleen", 0.0),
                                 row("b", "liver", "liver", 1.0),
                                 row("b", "liver", "spleen", 0.0, statistic="voxels", method="other"),
                                 row("b", "liver", "liver", 90.0, statistic="voxels")])  # fmt: skip
    write(
        folder / "c.parquet",
        [row("c", "spleen", "spleen", 0.6), row("c", "liver", "spleen", 0.4, status="absent")],
    )
    return folder


def test_matrix_has_every_case_and_nan_for_what_is_missing(tmp_path: Path) -> None:
    found = Cohort.read(example(tmp_path)).matrix("mass")
    assert (found.cases, found.targets, found.regions) == (
        ("a", "b", "c"),
        ("spleen", "liver"),
        ("spleen", "liver"),
    )
    expected = [[[0.7, 0.3], [0.2, 0.8]], [[NAN, NAN], [NAN, 1.0]], [[0.6, NAN], [NAN, NAN]]]
    np.testing.assert_array_equal(found.values, expected)
    assert found.errors[0, 0, 0] == 0.1
    assert np.isnan(found.errors).sum() == found.errors.size - 1
    # b: counted none; c: nothing counted, no figure of the liver.
    np.testing.assert_array_equal(found.present, [[True, True], [False, True], [True, False]])
    np.testing.assert_array_equal(found.answered, [[True, True], [False, True], [True, False]])
    np.testing.assert_array_equal(found.entry("liver", "spleen"), [0.2, NAN, NAN])
    assert (found.statistic, found.model, found.method, found.partition) == (
        "mass",
        "net",
        "gradient",
        "predicted",
    )
    picked = found.pick(cases=["c", "a"], regions=["liver"])
    np.testing.assert_array_equal(picked.values, [[[NAN], [NAN]], [[0.3], [0.8]]])
    np.testing.assert_array_equal(picked.present, [[False], [True]])


def test_a_present_region_without_mass_keeps_its_zero(tmp_path: Path) -> None:
    rows = [row("a", "x", "x", 1.0), row("a", "x", "y", 0.0), row("a", "", "y", 5.0, statistic="voxels")]
    found = Cohort.read(write(tmp_path / "t.parquet", rows)).matrix("mass")
    np.testing.assert_array_equal(found.values, [[[1.0, 0.0]]])


def test_sizes_are_told_even_where_the_target_is_absent(tmp_path: Path) -> None:
    """As region tables write them: a target that is not there says nothing of attribution, but its row has the voxels."""
    rows = [
        row("a", "x", "x", 0.0, statistic="voxels", status="absent"),
        row("a", "x", "y", 5.0, statistic="voxels", status="absent"),
        row(
            "a", "z", "y", NAN, statistic="voxels", status="absent"
        ),  # NaN, which DuckDB takes for the largest number
        row("a", "x", "x", NAN, status="absent"),
        row("a", "x", "y", None, status="absent"),
    ]
    cohort = Cohort.read(write(tmp_path / "t.parquet", rows))
    np.testing.assert_array_equal(cohort.matrix("mass").present, [[False, True]])
    np.testing.assert_array_equal(cohort.matrix("voxels").values, [[[NAN, 5.0], [NAN, NAN]]])
    assert np.isnan(cohort.matrix("mass").values).all()


def test_one_file_and_many_say_the_same(tmp_path: Path) -> None:
    folder = example(tmp_path)
    many = Cohort.read(sorted(folder.glob("?.parquet")))
    whole = tmp_path / "in [brackets]"
    whole.mkdir()
    rows = many.query("SELECT * FROM tables")
    one = Cohort.read(write(whole / "all.parquet", rows))
    assert one.cases == many.cases
    np.testing.assert_array_equal(
        one.matrix("mass").pick(targets=["spleen"]).values,
        many.matrix("mass").pick(targets=["spleen"]).values,
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"statistic": "mas"}, "statistic 'mas': not in the tables; did you mean 'mass'"),
        ({"statistic": "mass", "method": "gradients"}, r"method 'gradients'.*'gradient'"),
        (
            {"statistic": "voxels"},
            r"method: found 2 of statistic 'voxels', model 'net' \(gradient, other\), expected one",
        ),
        ({"statistic": "mass", "partition": "distance"}, r"partition 'distance'.*known: predicted"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(asked: dict[str, str], message: str, tmp_path: Path) -> None:
    cohort = Cohort.read(example(tmp_path))
    with pytest.raises(InputError, match=message) as error:
        cohort.matrix(**asked)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_mixed_models_must_be_told_apart(tmp_path: Path) -> None:
    rows = [row("a", "x", "x", 1.0), row("a", "x", "x", 2.0, model="redrawn")]
    cohort = Cohort.read(write(tmp_path / "t.parquet", rows))
    with pytest.raises(InputError, match=r"model: found 2 of statistic 'mass'.*net, redrawn"):
        cohort.matrix("mass")
    assert cohort.matrix("mass", model="redrawn").values.item() == 2.0


def test_figures_told_twice_are_refused(tmp_path: Path) -> None:
    rows = [row("a", "x", "x", 1.0), row("b", "x", "y", 1.0), row("b", "x", "y", 1.0)]
    cohort = Cohort.read(write(tmp_path / "t.parquet", rows))
    with pytest.raises(InputError, match="mass of case 'b', target 'x', region 'y' 2 times"):
        cohort.matrix("mass")


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        Cohort.read(tmp_path / "none.parquet")
    with pytest.raises(InputError, match=r"no \.parquet file"):
        Cohort.read(tmp_path)
    with pytest.raises(InputError, match="expected at least one"):
        Cohort.read([])
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(InputError, match="tables"):
        Cohort.read(tmp_path / "text.parquet")
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 'a' AS \"case\") TO '{tmp_path}/few.parquet' (FORMAT parquet)")
    with pytest.raises(InputError, match="found no column 'model'"):
        Cohort.read(tmp_path / "few.parquet")
    with pytest.raises(InputError, match="no row"):
        Cohort.read(write(tmp_path / "empty.parquet", []))


def test_query_takes_sql_and_tells_its_errors(tmp_path: Path) -> None:
    cohort = Cohort.read(example(tmp_path))
    assert cohort.query('SELECT count(*) AS n FROM tables WHERE "case" = $1', ["a"]) == [{"n": 4}]
    with pytest.raises(InputError, match="query: Catalog Error"):
        cohort.query("SELECT * FROM nothing")


def test_metadata_stay_beside_their_cases(tmp_path: Path) -> None:
    rows = [row(c, "liver", "liver", 1.0) for c in ("010", "007", "9")]
    table = write(tmp_path / "t.parquet", rows)
    (tmp_path / "m.csv").write_text(
        "case,age,site,dice:liver,known\n007,61,A,0.9,true\n010,NA,B,,false\n123,5,A,0.1,true\n"
    )
    cohort = Cohort.read(table, tmp_path / "m.csv")
    assert cohort.cases == ("007", "010", "9")
    found = cohort.metadata
    np.testing.assert_array_equal(found.column("age").numbers, [61, NAN, NAN])
    np.testing.assert_array_equal(found.column("dice:liver").numbers, [0.9, NAN, NAN])
    assert found.column("dice:liver").only == "liver"
    assert found.column("site").kind == "categorical"
    assert found.labels("site") == ("A", "B", None)
    assert found.labels("known") == ("true", "false", None)  # the words of the file
    assert found.labels("age") == ("61", None, None)
    assert (found.without, found.unused) == (("9",), ("123",))
    with pytest.raises(InputError, match=r"metadata column 'sit'.*'site'"):
        found.column("sit")
    cohort.query(f"COPY (SELECT * FROM metadata) TO '{tmp_path}/m.parquet' (FORMAT parquet)")
    again = Cohort.read(table, tmp_path / "m.parquet").metadata
    assert json.dumps(again.told()) == json.dumps(found.told())


def test_names_that_look_like_numbers_or_patterns_stay_as_they_are(tmp_path: Path) -> None:
    table = write(tmp_path / "x*.parquet", [row("1.50", "x", "x", 1.0)])
    write(tmp_path / "xy.parquet", [row("another", "x", "x", 1.0)])
    (tmp_path / "m.csv").write_text("case,age\n1.50,7\n")
    cohort = Cohort.read(table, tmp_path / "m.csv")
    assert cohort.cases == ("1.50",)
    assert cohort.metadata.labels("age") == ("7",)


def test_metadata_that_cannot_be_used(tmp_path: Path) -> None:
    table = write(tmp_path / "t.parquet", [row("a", "x", "x", 1.0)])
    (tmp_path / "twice.csv").write_text("case,age\na,1\na,2\n")
    (tmp_path / "none.csv").write_text("patient,age\na,1\n")
    with pytest.raises(InputError, match="case 'a' twice"):
        Cohort.read(table, tmp_path / "twice.csv")
    with pytest.raises(InputError, match="no column 'case' among patient, age"):
        Cohort.read(table, tmp_path / "none.csv")
    with pytest.raises(InputError, match="no such file"):
        Cohort.read(table, tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="none was given"):
        _ = Cohort.read(table).metadata


def test_infinite_figures_are_told_and_not_averaged() -> None:
    with pytest.raises(InputError, match="'t0' in 'r1' is infinite in case 'c0'"):
        summarise(matrix([[[1.0, -np.inf]]], statistic="log_enrichment"))
    with pytest.raises(InputError, match="region 'r7'"):
        matrix([[[1.0, 2.0]]]).pick(regions=["r7"])


def test_what_bids_and_spreadsheets_write_for_unknown_is_unknown(tmp_path: Path) -> None:
    rows = [row(c, "x", "x", 1.0) for c in "abc"]
    (tmp_path / "people.csv").write_text("case,age,sex\na,50,F\nb,n/a,n/a\nc,61,N/A\n", encoding="utf-8")
    found = Cohort.read(write(tmp_path / "t.parquet", rows), metadata=tmp_path / "people.csv").metadata
    np.testing.assert_array_equal(found.column("age").numbers, [50.0, NAN, 61.0])
    assert found.labels("sex") == ("F", None, None)


def test_columns_that_are_neither_numbers_nor_names_are_left_out_and_told(tmp_path: Path) -> None:
    table = write(tmp_path / "t.parquet", [row("a", "x", "x", 1.0)])
    columns = {
        "follow_up": "INTERVAL 3 DAY", "scans": "{'first': 1}", "lesions": "[1, 2]", "doses": "[1.5::DECIMAL(4, 2)]",
        "tags": "MAP {'a': 1}", "age": "61::UTINYINT", "dose": "1.5::DECIMAL(4, 2)", "since": "DATE '2020-02-01'",
        "treated": "true",
    }  # fmt: skip
    listed = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT 'a' AS \"case\", {listed}) TO '{tmp_path}/m.parquet' (FORMAT parquet)"
        )
    cohort = Cohort.read(table, tmp_path / "m.parquet")
    with pytest.warns(
        UserWarning, match="metadata: left out follow_up .*, scans .*, lesions .*, doses .*, tags"
    ):
        found = cohort.metadata
    kinds = {name: column.kind for name, column in found.columns.items()}
    assert kinds == {
        "age": "numeric",
        "dose": "numeric",
        "since": "categorical",
        "treated": "categorical",
    }
    assert found.column("dose").numbers == 1.5


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_header_says_what_stands_between_columns(mark: str, tmp_path: Path) -> None:
    """Notes hold the other marks, more often than the header its own; names that are all text are names all the same."""
    others = "".join(m for m in ",;\t|" if m != mark)
    rows = [["case", "note"], ["a", f"x{others}y{others}"], ["b", f"{others}z{others}"]]
    text = "".join(mark.join(cells) + "\n" for cells in rows)
    (tmp_path / "m.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    table = write(tmp_path / "t.parquet", [row(c, "x", "x", 1.0) for c in "ab"])
    found = Cohort.read(table, tmp_path / "m.csv").metadata
    assert list(found.columns) == ["note"]
    assert found.labels("note") == (rows[1][1], rows[2][1])
    assert (found.without, found.unused) == ((), ())


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("case;age;note\na;63,5;x, 1\nb;41;y\n", (63.5, 41.0)),
        ("case\tage\tnote\na\t-0,25\tx\nb\t41\ty\n", (-0.25, 41.0)),
        ("case;age;note\na;63.5;x\nb;41;y\n", (63.5, 41.0)),
        ("case;age;note\na;63.5;x\nb;41,5;y\n", None),  # of two marks nobody knows what they mean
        ('case,age,note\na,"63,5",x\nb,41,y\n', None),
    ],
)
def test_decimals_may_have_a_comma_where_columns_have_none(text: str, age: object, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(text)
    table = write(tmp_path / "t.parquet", [row(c, "x", "x", 1.0) for c in "ab"])
    columns = Cohort.read(table, tmp_path / "m.csv").metadata.columns
    found = columns["age"].numbers
    assert found is None if age is None else tuple(found) == age
    assert columns["note"].numbers is None


def test_a_point_anywhere_is_the_mark_of_decimals(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("case;age;pair\na;63.5;2,1\nb;41.5;3,1\n")
    table = write(tmp_path / "t.parquet", [row(c, "x", "x", 1.0) for c in "ab"])
    columns = Cohort.read(table, tmp_path / "m.csv").metadata.columns
    assert tuple(columns["age"].numbers) == (63.5, 41.5)
    assert columns["pair"].numbers is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case|age\na|1\n", r"m.csv: found no column 'case' among case\|age in the first line, expected"),
        ("", "m.csv: found no column 'case' among nothing"),
        ("exported today\ncase,age\na,1\n", "no column 'case' among exported today in the first line"),
        ("case,age\na,61\nb,61,5\n", "m.csv line 3: found 3 cells, expected 2 as in the header"),
        ("case;age\na\n", "m.csv line 2: found 1 cells, expected 2"),
        ("case,größe\n", "m.csv: cannot be read .not text in UTF-8., expected CSV or .parquet"),
    ],
)
def test_csv_that_could_be_read_in_two_ways_is_refused(text: str, message: str, tmp_path: Path) -> None:
    table = write(tmp_path / "t.parquet", [row("a", "x", "x", 1.0)])
    (tmp_path / "m.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message) as error:
        Cohort.read(table, tmp_path / "m.csv")
    assert "\n" not in str(error.value)
