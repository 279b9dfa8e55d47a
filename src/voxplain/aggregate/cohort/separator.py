"""How a CSV file is cut into columns: as its header says, whatever its rows look like to somebody who guesses."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import NamedTuple

from voxplain.case.table import MARKS, decimal_of
from voxplain.errors import InputError


class Cut(NamedTuple):
    """What stands between columns, and before decimals."""

    separator: str
    decimal: str


def cut(path: Path, column: str) -> Cut:
    """Of comma, semicolon and tab, the one that cuts the first line into names with this column among them.

    Raises:
        InputError: it is no text, no mark does, or a row has more or fewer cells than the header.
    """
    text = _text(path)
    headers = {mark: _rows(path, text, mark, 1)[0][1] for mark in MARKS}
    fitting = [mark for mark in MARKS if column in headers[mark]]
    if not fitting:
        names = max(headers.values(), key=len)
        raise InputError(
            f"metadata {path}: found no column {column!r} among {', '.join(names) or 'nothing'} in the first line, expected "
            f"names with commas, semicolons or tabs between"
        )
    mark = max(fitting, key=lambda m: len(headers[m]))
    width, rows = len(headers[mark]), _rows(path, text, mark)
    for line, row in rows:
        if row and len(row) != width:
            raise InputError(
                f"metadata {path} line {line}: found {len(row)} cells, expected {width} as in the header"
            )
    cells = [cell for _, row in rows[1:] for cell in row]
    return Cut(mark, decimal_of(mark, cells))


def _text(path: Path) -> str:
    try:
        # spreadsheets put a byte order mark in front
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise InputError(f"metadata {path}: cannot be read ({reason}), expected CSV or .parquet") from None


def _rows(path: Path, text: str, mark: str, most: int | None = None) -> list[tuple[int, list[str]]]:
    """Rows with the lines that they end on; the first one is there, if empty, even of an empty file."""
    # newline="": a quoted cell may hold a line break
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            rows.append((reader.line_num, row))
            if len(rows) == most:
                break
    except csv.Error as error:
        raise InputError(f"metadata {path} line {reader.line_num}: is not CSV ({error})") from None
    return rows or [(1, [])]
