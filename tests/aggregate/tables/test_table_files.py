"""Tables come back from their files as they were."""

from __future__ import annotations

import duckdb
import numpy as np
import pytest
import torch
from networks import random_case, smooth_segmenter

from voxplain.aggregate.long_table import TYPES
from voxplain.aggregate.partition import from_labels, predicted
from voxplain.aggregate.shells import Shells
from voxplain.aggregate.tables import RegionTable, region_table
from voxplain.engine import Problem
from voxplain.errors import InputError, StorageError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses


@pytest.fixture(scope="module")
def table():
    model = Model(smooth_segmenter(2).double(), spatial_dims=2, windows=Windows(roi=6, overlap=0.5))
    p = Problem(model, random_case((9, 14)), AllClasses(background=True), dtype=torch.float64)
    labels = np.arange(126).reshape(9, 14) % 2
    given = from_labels(p, labels, name='it\'s "given"', regions={0: "Ärger", 1: "a'b", 5: "nowhere"})
    return region_table(p, [predicted(p), given], "smoothgrad:draws=3", shells=Shells(edges=(1, 3)))


def test_a_table_comes_back_from_its_file(table, tmp_path):
    path = table.write(tmp_path / "new" / "a [1]*.parquet")
    found = RegionTable.read(path)
    assert found.rows() == table.rows()
    assert (found.case, found.model, found.method) == (table.case, table.model, table.method)
    assert found.targets == table.targets
    for part, other in zip(found.parts, table.parts, strict=True):
        assert part.partition == other.partition and part.regions == other.regions
        np.testing.assert_array_equal(part.status, other.status)
        for s in other.values:
            np.testing.assert_array_equal(found.matrix(s, part.partition), other.values[s])
            np.testing.assert_array_equal(found.errors(s, part.partition), other.errors[s])
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_columns_are_those_that_a_cohort_expects(table, tmp_path):
    path = table.write(tmp_path / "t.parquet")
    found = duckdb.sql(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
    kinds = TYPES
    assert {row[0]: row[1] for row in found} == kinds
    rows = table.rows()
    ((missing,),) = duckdb.sql(f"SELECT count(*) FROM '{path}' WHERE value IS NULL").fetchall()
    assert missing == sum(r["value"] is None for r in rows) > 0
    assert all(isinstance(r["value"], (float, type(None))) for r in rows)


def test_rows_hold_the_matrices(table):
    rows = {(r["target"], r["partition"], r["region"], r["statistic"]): r for r in table.rows()}
    assert len(rows) == len(table.rows())
    for part in table.parts:
        for statistic, values in part.values.items():
            for t, target in enumerate(table.targets):
                for r, region in enumerate(part.regions):
                    row = rows[target, part.partition, region, statistic]
                    for key, truth in (("value", values), ("error", part.errors[statistic])):
                        found = np.nan if row[key] is None else row[key]
                        np.testing.assert_array_equal(found, truth[t, r])
                    assert row["status"] == part.status[t, r]


def test_what_is_no_table_is_refused_in_one_line(table, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        RegionTable.read(tmp_path / "nothing.parquet")
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(InputError, match="cannot be read") as caught:
        RegionTable.read(tmp_path / "text.parquet")
    assert "\n" not in str(caught.value)
    duckdb.sql(f"COPY (SELECT 1 AS x) TO '{tmp_path / 'other.parquet'}'")
    with pytest.raises(InputError, match="cannot be read"):
        RegionTable.read(tmp_path / "other.parquet")
    one = table.write(tmp_path / "one.parquet")
    both = tmp_path / "both.parquet"
    duckdb.sql(
        f"COPY (SELECT * FROM '{one}' UNION ALL SELECT * REPLACE ('b' AS \"case\") FROM '{one}') TO '{both}'"
    )
    with pytest.raises(InputError, match="found 2 cases"):
        RegionTable.read(both)
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(StorageError, match="is a folder"):
        table.write(tmp_path / "folder.parquet")
