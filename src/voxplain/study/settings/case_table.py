"""A table of cases: CSV or TSV with a header, one case per row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from voxplain.errors import InputError, suggest
from voxplain.study.settings.checks import no_repeats

PATHS = ("image", "label", "mask")
COLUMNS = (*PATHS, "id", "series", "slice", "fill_nan")


def rows_of(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """The cases of a table, each with its line; columns that are no setting of a case become its ``meta``.

    Paths are relative to the table. Several images of one case, to be stacked, stand in one cell with ``;`` between.

    Raises:
        InputError: it cannot be read, has no column ``image``, or rows that do not fit its header; one line per mistake.
    """
    text = _text(path)
    header = text.partition("\n")[0]
    # newline="": a quoted cell may hold a line break
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if "\t" in header else ",")
    try:
        columns = [name.strip() for name in next(reader, [])]
        _check_header(path, columns)
        rows = [
            (reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise InputError(f"cases: {path} line {reader.line_num}: is not CSV ({error})") from None
    _check_rows(path, len(columns), rows)
    return [(line, _case(dict(zip(columns, row, strict=False)), path.parent)) for line, row in rows]


def _text(path: Path) -> str:
    try:
        # spreadsheets put a byte order mark in front
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise InputError(
            f"cases: {path} cannot be read ({reason}); expected a list, or a .csv with a column image"
        ) from None


def _check_header(path: Path, columns: Sequence[str]) -> None:
    if "image" not in columns:
        hint = suggest("image", columns)
        if len(columns) == 1 and ";" in columns[0]:
            hint = "columns are separated by commas or tabs; ; stands between images of one case"
        raise InputError(f"cases: {path} has no column image; {hint}")
    try:
        no_repeats("column", [name for name in columns if name])
    except ValueError as error:
        raise InputError(f"cases: {path}: {error}") from None


def _check_rows(path: Path, width: int, rows: Iterable[tuple[int, Sequence[str]]]) -> None:
    """Cells beyond the header's would be lost without a word: most often a comma that is not in quotes."""
    wrong = [
        f"cases: {path} line {line}: found {len(row)} cells, expected {width} as in the header"
        for line, row in rows
        if any(row[width:])
    ]
    if wrong:
        raise InputError("\n".join(wrong))


def _case(row: dict[str, str], folder: Path) -> dict[str, Any]:
    given = {key: value for key, value in row.items() if key and value}
    case: dict[str, Any] = {key: given[key] for key in COLUMNS if key in given}
    for key in PATHS:
        if key in case:
            case[key] = str(folder / Path(case[key]).expanduser())
    if "image" in given:
        case["image"] = [str(folder / Path(part.strip()).expanduser()) for part in given["image"].split(";")]
    extra = {key: value for key, value in given.items() if key not in COLUMNS}
    return {**case, "meta": extra} if extra else case
