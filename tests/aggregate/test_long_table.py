"""What writes the long table and what reads it agree on it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import torch
from aggregate_problem import problem

from voxplain.aggregate.cohort import Cohort
from voxplain.aggregate.games import region_game
from voxplain.aggregate.long_table import COLUMNS, JOINER, SIZES, TYPES
from voxplain.aggregate.partition import predicted
from voxplain.aggregate.shells import Shells
from voxplain.aggregate.tables import region_table
from voxplain.study.results.tables import write_parquet


def test_tables_and_games_write_these_columns_and_a_cohort_reads_them(tmp_path: Path) -> None:
    p = problem()
    table = region_table(p, [predicted(p)], "gradient", shells=Shells((2.0,)))
    game = region_game(p, predicted(p), baseline="mean", values=("interaction",))
    table.write(tmp_path / "table.parquet")
    write_parquet(tmp_path / "game.parquet", game.rows(), TYPES)
    for rows, file in ((table.rows(), "table"), (game.rows(), "game")):
        assert all(tuple(row) == COLUMNS for row in rows)
        described = duckdb.sql(f"DESCRIBE SELECT * FROM '{tmp_path}/{file}.parquet'").fetchall()
        assert {name: kind for name, kind, *_ in described} == TYPES
    assert {row["statistic"] for row in table.rows()} >= set(SIZES)
    a, b, *_ = predicted(p).regions
    assert f"{a}{JOINER}{b}" in {row["region"] for row in game.rows()}
    cohort = Cohort.read([tmp_path / "table.parquet", tmp_path / "game.parquet"])
    counts = cohort.matrix("voxels", method="gradient", partition="predicted").values[0]
    np.testing.assert_array_equal(counts[0], predicted(p).counts.numpy())
    assert torch.as_tensor(counts).sum(1).eq(p.image[0].numel()).all()
