"""What is known of each image that was explained: read from its folder, told in a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voxplain.counterfactual.running.case_files import RECORD
from voxplain.inherent.evaluate.rows import write_rows

Record = dict[str, Any]
NEW = "new"  # the part of images that are not the data set's
WORDS = (
    "part",
    "id",
    "patient",
    "label",
    "decision",
    "right",
    "towards",
    "reached",
    "flipped",
    "monotone",
    "withheld",
    "own nearest",
)
NUMBERS = (
    "logit before", "logit after", "target", "dose", "logit of the copy", "error of the copy", "change", "sparsity", "cout",
    "distance before", "distance after", "typical distance", "distance ratio", "random flips", "random flips ever",
    "l2", "composition", "reversibility", "identity",
)  # fmt: skip

OF_ORACLES = ("oracle before", "oracle after")


def read_record(place: Path) -> Record | None:
    """What a folder tells; None where it is not finished."""
    try:
        found: Record = json.loads((place / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "key" in found else None


def write_table(folder: Path, prefix: str, records: Sequence[Record]) -> None:
    """``images.parquet`` and ``.csv``, a row per image; of new images ``new_images``."""
    numbers = (*NUMBERS, *(OF_ORACLES if all(name in r for r in records for name in OF_ORACLES) else ()))
    rows = [
        {name: _word(r[name]) for name in WORDS} | {name: float(r[name]) for name in numbers} for r in records
    ]
    for suffix in (".parquet", ".csv"):
        write_rows(rows, folder / f"{prefix}images{suffix}")


def _word(value: Any) -> str:
    """A column has one type, so truth values that may not be known are words."""
    return (
        {True: "yes", False: "no", None: ""}[value]
        if isinstance(value, bool) or value is None
        else str(value)
    )
