"""A cohort: tables of region rows of many cases, and what is known of the cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxplain.aggregate.cohort.matrix import Mask, Matrix
from voxplain.aggregate.cohort.metadata import Metadata, read_columns
from voxplain.aggregate.cohort.source import (
    Paths,
    fetched,
    files,
    name as quoted,
    open_metadata,
    open_tables,
    run,
)
from voxplain.aggregate.long_table import SIZES
from voxplain.errors import InputError, suggest

if TYPE_CHECKING:
    import duckdb

NO_FIGURE = ("absent", "failed")  # of a row's status: whatever its value says, nothing was measured


@dataclass(frozen=True, eq=False)
class Cohort:
    """Region rows of many cases, behind DuckDB: nothing is read before it is asked for.

    Attributes:
        connection: with the views `tables` and, where metadata were given, `metadata`.
        cases: every case of the tables, sorted.

    >>> import numpy as np, torch, voxplain as vx
    >>> network = torch.nn.Conv2d(1, 2, 1)  # bright: twice the intensity
    >>> network.weight.data = torch.tensor([0.0, 2.0]).reshape(2, 1, 1, 1)
    >>> network.bias.data = torch.tensor([1.0, 0.0])
    >>> model = vx.load_model(network, classes=["dark", "bright"])
    >>> case = vx.Case("three voxels", np.array([[[0.0, 1.0, 3.0]]]))
    >>> problem = vx.Problem(model, case, ["bright"])
    >>> import tempfile
    >>> from pathlib import Path
    >>> table = vx.region_table(problem, [vx.predicted_regions(problem)], "gradient")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cohort = Cohort.read(table.write(Path(folder) / "three.parquet"))
    ...     mass = cohort.matrix("mass")  # (cases, targets, regions)
    >>> cohort.cases, mass.targets, mass.regions, mass.values.tolist()
    (('three voxels',), ('bright',), ('dark', 'bright'), [[[0.0, 1.0]]])
    """

    connection: duckdb.DuckDBPyConnection
    cases: tuple[str, ...]
    has_metadata: bool = False

    @classmethod
    def read(cls, paths: Paths, metadata: str | Path | None = None) -> Cohort:
        """Open tables.

        Args:
            paths: Parquet files, or folders of them, with the columns case, model, method, target, partition, region,
                statistic, value, error, status; one file per case or one for all.
            metadata: CSV (commas, semicolons or tabs, as its header has them) or Parquet with a column `case` and any
                others; `dice:liver` is about the target liver alone.

        Raises:
            InputError: no such file, columns that lack, no row, rows of the metadata that do not fit its header, a case
                twice in it.
        """
        import duckdb

        found = files(paths)
        connection = duckdb.connect()
        open_tables(connection, found)
        rows = run(
            connection, 'SELECT DISTINCT "case" FROM tables WHERE "case" IS NOT NULL ORDER BY 1', "tables"
        )
        if not rows:
            raise InputError(f"tables {found[0]}: found no row of any case")
        if metadata is not None:
            open_metadata(connection, Path(metadata))
        return cls(connection, tuple(row[0] for row in rows), metadata is not None)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Rows of any SQL over the views `tables` and `metadata`.

        Args:
            values: for `$1`, `$2`, … in it.

        Raises:
            InputError: DuckDB refuses.
        """
        names, rows = fetched(self.connection, sql, "query", values)
        return [dict(zip(names, row, strict=True)) for row in rows]

    @cached_property
    def metadata(self) -> Metadata:
        """What is known of the cases, in their order.

        Raises:
            InputError: the cohort was read without metadata.
        """
        if not self.has_metadata:
            raise InputError("metadata: none was given; read the cohort with metadata=PATH")
        return read_columns(self.connection, self.cases)

    def matrix(
        self,
        statistic: str,
        *,
        model: str | None = None,
        method: str | None = None,
        partition: str | None = None,
    ) -> Matrix:
        """One statistic of every case, target and region.

        A region is present in a case where its voxels were counted (statistic `voxels`, `count` or `volume_ml`, of any
        method and target) and are not none; where nobody counted them, where any target has a figure there. A region that is
        not present has no value, even if a table says 0: a lobe that was removed did not receive no attribution.

        Args:
            model, method, partition: may be left out where the tables have only one.

        Raises:
            InputError: what is not there, several of what was left out, or a figure twice.
        """
        picked = self._picked(statistic, model, method, partition)
        values, errors, targets, regions = self._figures(picked)
        present = self._present(picked, regions, values)
        values = np.where(present[:, None, :], values, np.nan)
        errors = np.where(np.isnan(values), np.nan, errors)
        return Matrix(
            statistic,
            picked["method"],
            picked["model"],
            picked["partition"],
            self.cases,
            targets,
            regions,
            values,
            errors,
            present,
        )

    def _picked(
        self, statistic: str, model: str | None, method: str | None, partition: str | None
    ) -> dict[str, str]:
        """One name of each, among the rows that the names before it leave."""
        picked: dict[str, str] = {}
        asked = {"statistic": statistic, "model": model, "method": method, "partition": partition}
        for field, wanted in asked.items():
            where, values = _where(picked)
            sql = f"SELECT DISTINCT {quoted(field)} FROM tables WHERE {where} ORDER BY 1"
            known = [row[0] for row in run(self.connection, sql, "tables", values)]
            of = "".join(f", {k} {v!r}" for k, v in picked.items()).removeprefix(",")
            if wanted is None and len(known) > 1:
                raise InputError(
                    f"{field}: found {len(known)} of{of} ({', '.join(known[:8])}), expected one; say {field}={known[0]!r}"
                )
            if wanted is not None and wanted not in known:
                among = f" among the rows of{of}" if picked else " in the tables"
                raise InputError(f"{field} {wanted!r}: not{among}; {suggest(wanted, known)}")
            picked[field] = known[0] if wanted is None else wanted
        return picked

    def _figures(self, picked: dict[str, str]) -> tuple[Any, Any, tuple[str, ...], tuple[str, ...]]:
        where, values = _where(picked)
        names = {}
        for field in ("target", "region"):
            # In the order of the files, which is the network's own order of classes.
            sql = f"SELECT {quoted(field)} FROM placed WHERE {where} GROUP BY 1 ORDER BY min(place), 1"
            names[field] = tuple(row[0] for row in run(self.connection, sql, "tables", values))
        at = len(values)
        sql = f"""
            WITH c AS (SELECT unnest(${at + 1}::VARCHAR[]) AS "case", generate_subscripts(${at + 1}::VARCHAR[], 1) - 1 AS i),
                 t AS (SELECT unnest(${at + 2}::VARCHAR[]) AS target, generate_subscripts(${at + 2}::VARCHAR[], 1) - 1 AS j),
                 r AS (SELECT unnest(${at + 3}::VARCHAR[]) AS region, generate_subscripts(${at + 3}::VARCHAR[], 1) - 1 AS k)
            SELECT i, j, k, error,
                   CASE WHEN status IN {NO_FIGURE} AND statistic NOT IN {SIZES} THEN NULL ELSE value END AS value
            FROM (SELECT * FROM tables WHERE {where}) JOIN c USING ("case") JOIN t USING (target) JOIN r USING (region)
        """
        columns = self.connection.execute(
            sql, [*values, list(self.cases), list(names["target"]), list(names["region"])]
        ).fetchnumpy()
        shape = (len(self.cases), len(names["target"]), len(names["region"]))
        index = np.ravel_multi_index(tuple(np.asarray(columns[a], dtype=np.intp) for a in "ijk"), shape)
        if len(twice := np.flatnonzero(np.bincount(index, minlength=1) > 1)):
            i, j, k = np.unravel_index(twice[0], shape)
            raise InputError(
                f"tables: found {picked['statistic']} of case {self.cases[i]!r}, target {names['target'][j]!r}, region "
                f"{names['region'][k]!r} {np.bincount(index)[twice[0]]} times, expected once per model, method and partition"
            )
        out = []
        for column in ("value", "error"):
            full = np.full(int(np.prod(shape)), np.nan)
            full[index] = np.ma.filled(np.ma.asarray(columns[column], dtype=np.float64), np.nan)
            out.append(full.reshape(shape))
        return out[0], out[1], names["target"], names["region"]

    def _present(self, picked: dict[str, str], regions: tuple[str, ...], values: Any) -> Mask:
        """(cases, regions): sizes of any method and target, since a region's voxels depend on neither."""
        where, given = _where({k: picked[k] for k in ("model", "partition")})
        where = f"{where} AND statistic IN {SIZES} AND value IS NOT NULL AND NOT isnan(value)"
        sql = f'SELECT "case", region, max(value) FROM tables WHERE {where} GROUP BY ALL'
        counted = run(self.connection, sql, "tables", given)
        present: Mask = ~np.isnan(values).all(1)
        row = {c: i for i, c in enumerate(self.cases)}
        column = {r: k for k, r in enumerate(regions)}
        for case, region, count in counted:
            if region in column:
                present[row[case], column[region]] = count > 0
        return present


def _where(picked: dict[str, str]) -> tuple[str, list[str]]:
    """A condition with numbered places, and what belongs there."""
    clauses = [f"{quoted(field)} = ${i}" for i, field in enumerate(picked, 1)]
    return " AND ".join(clauses) or "true", list(picked.values())
