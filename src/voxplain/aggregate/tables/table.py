"""A case's attributions summed over regions: what a table holds, and its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.long_table import COLUMNS, NUMBERS, SIZES
from voxplain.attribution.told import WITH_MAP
from voxplain.case.atomic import whole
from voxplain.case.parquet import as_os_error, copy_as_parquet, quoted_path
from voxplain.errors import InputError, suggest

Array = NDArray[np.float64]
_TEXTS = tuple(c for c in COLUMNS if c not in NUMBERS)


@dataclass(frozen=True, eq=False)
class Part:
    """One partition's share of a table.

    Attributes:
        partition: its name.
        regions: (R) names.
        values, errors: by statistic, (T, R); NaN is what is not known.
        status: (T, R) text: ``ok``; ``absent`` where the target or the region is; ``zero`` or ``failed`` as the target's
            map. Where the target alone is absent or failed, the region's voxels are told all the same.
    """

    partition: str
    regions: tuple[str, ...]
    values: Mapping[str, Array]
    errors: Mapping[str, Array]
    status: NDArray[Any]


@dataclass(frozen=True, eq=False)
class RegionTable:
    """Attributions of all targets of a case, summed over the regions of any number of partitions.

    Sums are over the voxels of the prepared grid, where they are made; they hold for the scan's own voxels, too, up to
    interpolation, since a map's values are scaled by the voxels' volume on the way home. Energies and means are per voxel of
    the prepared grid.

    Channels are added up: absolute sums hold ``Σ_c |a_c|``.

    Statistics of a region: ``positive`` and ``negative`` (as a magnitude) sums, ``net`` and ``absolute``; ``energy`` Σ a²,
    unbiased where draws are independent, so that it may be below zero; ``voxels`` and ``volume_ml`` (unknown of pictures and
    of volumes without a spacing); ``mean`` (absolute per voxel); ``mass`` (share of the image's absolute sum);
    ``density_ratio`` (mass over the share of voxels) and ``log_enrichment`` (log₂ of it, unknown where nothing is).

    Attributes:
        case, model, method: what was asked.
        targets: (T) names.
        parts: one per partition.
    """

    case: str
    model: str
    method: str
    targets: tuple[str, ...]
    parts: tuple[Part, ...]

    def part(self, partition: str) -> Part:
        """A partition's share.

        Raises:
            InputError: unknown (the closest are suggested).
        """
        for part in self.parts:
            if part.partition == partition:
                return part
        names = [p.partition for p in self.parts]
        raise InputError(f"partition {partition!r}: not in this table; {suggest(partition, names)}")

    def matrix(self, statistic: str, partition: str) -> Array:
        """(T, R) values; NaN is what is not known.

        Raises:
            InputError: unknown names.
        """
        return _of(self.part(partition).values, statistic)

    def errors(self, statistic: str, partition: str) -> Array:
        """(T, R) standard errors; NaN is what is not known.

        Raises:
            InputError: unknown names.
        """
        return _of(self.part(partition).errors, statistic)

    def columns(self) -> dict[str, NDArray[Any]]:
        """The long table, a column each: rows go by target, partition, region and statistic."""
        rows = [
            (self.case, self.model, self.method, target, part.partition, region, statistic, part.status[t, r])
            for t, target in enumerate(self.targets)
            for part in self.parts
            for r, region in enumerate(part.regions)
            for statistic in part.values
        ]
        texts = np.array(rows, dtype=object).reshape(len(rows), len(_TEXTS))
        out: dict[str, NDArray[Any]] = dict(zip(_TEXTS, texts.T, strict=True))
        for key in ("value", "error"):
            blocks = [
                np.stack(list((part.values if key == "value" else part.errors).values()), axis=-1).reshape(
                    len(self.targets), -1
                )
                for part in self.parts
            ]
            out[key] = np.concatenate(blocks, axis=1).ravel()
        return {key: out[key] for key in COLUMNS}

    def rows(self) -> list[dict[str, Any]]:
        """The long table, one dictionary with the keys `COLUMNS` per row; value and error are ``None`` where not known."""
        found = self.columns()
        lists = {k: found[k].tolist() for k in _TEXTS}
        lists |= {k: [None if np.isnan(v) else v for v in found[k].tolist()] for k in ("value", "error")}
        return [
            dict(zip(COLUMNS, row, strict=True)) for row in zip(*(lists[c] for c in COLUMNS), strict=True)
        ]

    def write(self, path: Path) -> Path:
        """The long table as Parquet, whole or not at all.

        Raises:
            StorageError: it cannot be written.
        """
        with whole(path, parents=True) as temporary:
            copy_as_parquet("found", temporary, {"found": self.columns()})
        return path

    @staticmethod
    def read(path: Path) -> RegionTable:
        """A table that `write` wrote.

        Raises:
            InputError: no such table, or one of several cases, models or methods.
        """
        return _gathered(path, _rows_of(path))


def _of(found: Mapping[str, Array], statistic: str) -> Array:
    if statistic not in found:
        raise InputError(f"statistic {statistic!r}: not of this partition; {suggest(statistic, found)}")
    return found[statistic]


def _rows_of(path: Path) -> list[tuple[Any, ...]]:
    import duckdb

    if not path.is_file():
        raise InputError(f"table {path}: no such file")
    try:
        with as_os_error(), duckdb.connect() as connection:
            names = ", ".join(f'"{c}"' for c in COLUMNS)
            return connection.execute(f"SELECT {names} FROM read_parquet({quoted_path(path)})").fetchall()
    except (duckdb.Error, OSError) as error:
        raise InputError(
            f"table {path}: cannot be read as a region table: {str(error).splitlines()[0]}"
        ) from error


def _gathered(path: Path, rows: list[tuple[Any, ...]]) -> RegionTable:
    """Names in the order in which they come first."""
    about = list(dict.fromkeys(row[:3] for row in rows))
    if len(about) != 1:
        raise InputError(f"table {path}: found {len(about)} cases, models and methods, expected one of each")
    targets = list(dict.fromkeys(row[3] for row in rows))
    regions: dict[str, dict[str, int]] = {}
    statistics: dict[str, dict[str, int]] = {}
    for row in rows:
        own = regions.setdefault(row[4], {})
        own.setdefault(row[5], len(own))
        told = statistics.setdefault(row[4], {})
        told.setdefault(row[6], len(told))
    place = {t: i for i, t in enumerate(targets)}
    parts = {name: _blank(name, len(targets), regions[name], statistics[name]) for name in regions}
    for _, _, _, target, name, region, statistic, value, error, status in rows:
        part, at = parts[name], (place[target], regions[name][region])
        part.values[statistic][at] = np.nan if value is None else value
        part.errors[statistic][at] = np.nan if error is None else error
        part.status[at] = status
    case, model, method = about[0]
    return RegionTable(case, model, method, tuple(targets), tuple(parts.values()))


def _blank(name: str, targets: int, regions: Mapping[str, int], statistics: Mapping[str, int]) -> Part:
    shape = (targets, len(regions))
    values, errors = ({s: np.full(shape, np.nan) for s in statistics} for _ in range(2))
    return Part(name, tuple(regions), values, errors, np.full(shape, "absent", dtype=object))


def with_status(part: Part, targets: tuple[str, ...]) -> Part:
    """The part without what its statuses forbid.

    Args:
        part: whose status is not set.
        targets: (T) statuses of the targets' maps.
    """
    own = np.array(targets)[:, None]
    status = np.where(np.isin(own, WITH_MAP) & (part.values["voxels"] == 0), "absent", own)
    unknown = ~np.isin(status, WITH_MAP)
    values = {s: v if s in SIZES else np.where(unknown, np.nan, v) for s, v in part.values.items()}
    errors = {s: np.where(unknown, np.nan, e) for s, e in part.errors.items()}
    return Part(part.partition, part.regions, values, errors, status.astype(object))
