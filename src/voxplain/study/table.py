"""table.csv: one row per method and target."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence

COLUMNS = (
    "case",
    "model",
    "method",
    "target",
    "kind",
    "class",
    "class_index",
    "region_voxels",
    "score_kind",
    "score",
    "status",
    "forward_passes",
    "backward_passes",
    "seconds",
    "peak_memory_mb",
    "seed",
    "completeness_gap",
    "agreement",
    "note",
)


def as_csv(rows: Iterable[Mapping[str, object]], columns: Sequence[str] = COLUMNS) -> str:
    r"""The rows as text; further keys become further columns, numbers that are not known stay empty.

    >>> as_csv([{"method": "gradient", "gap": float("nan")}], ("method",))
    'method,gap\ngradient,\n'
    """
    listed = [dict(row) for row in rows]
    extra = [key for row in listed for key in row if key not in columns]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [*columns, *dict.fromkeys(extra)], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in listed)
    return buffer.getvalue()


def _cell(value: object) -> object:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
