"""Tables that people write: a header, and commas, semicolons or tabs between columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from voxplain.errors import InputError, suggest

MARKS = (",", ";", "\t")
DECIMAL = {mark: re.compile(rf"\s*[-+]?\d+{re.escape(mark)}\d+\s*") for mark in (",", ".")}


def read_table(
    path: Path, needed: Sequence[str], *, what: str, expected: str, verbatim: Sequence[str] = ()
) -> list[tuple[int, dict[str, str]]]:
    """The rows of a table, each with its line in the file; empty cells and columns without a name are left out.

    Args:
        needed: columns that must be there.
        what: the setting or option that names the table, for errors.
        expected: what would have worked instead of a file that is no table.
        verbatim: columns that stay as they are, where in the others numbers get a point for their decimal comma.

    Raises:
        InputError: it cannot be read, has no column of these names, or rows that do not fit its header; one line per
            mistake.
    """
    text = _text(path, what, expected)
    mark = _mark(text.partition("\n")[0], needed)
    # newline="": a quoted cell may hold a line break
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    try:
        columns = [name.strip() for name in next(reader, [])]
        _check_header(path, columns, needed, what)
        rows = [
            (reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise InputError(f"{what}: {path} line {reader.line_num}: is not CSV ({error})") from None
    _check_rows(path, len(columns), rows, what)
    numbers = (
        cell for _, row in rows for name, cell in zip(columns, row, strict=False) if name not in verbatim
    )
    if decimal_of(mark, numbers) == ",":
        rows = [(line, _with_points(columns, row, verbatim)) for line, row in rows]
    return [
        (line, {key: cell for key, cell in zip(columns, row, strict=False) if key and cell})
        for line, row in rows
    ]


def decimal_of(mark: str, cells: Iterable[str]) -> str:
    """What stands before decimals in a table with this mark between its columns.

    Spreadsheets write semicolons where decimals come after a comma: so they are read, unless a number has a point.

    >>> decimal_of(";", ["63,5", "north"]), decimal_of(";", ["63,5", "0.81"]), decimal_of(",", ["63,5"])
    (',', '.', '.')
    """
    known = list(cells)
    comma, point = (any(map(DECIMAL[decimal].fullmatch, known)) for decimal in (",", "."))
    return "," if mark != "," and comma and not point else "."


def several_paths(cell: str, folder: Path) -> list[Path]:
    """The images of one cell, with ``;`` between those that are stacked; relative to the table's folder.

    >>> [str(path) for path in several_paths("a.nii; b.nii", Path("/data"))]
    ['/data/a.nii', '/data/b.nii']
    """
    return [folder / Path(part.strip()).expanduser() for part in cell.split(";")]


def _text(path: Path, what: str, expected: str) -> str:
    try:
        # spreadsheets put a byte order mark in front
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text in UTF-8"
        raise InputError(f"{what}: {path} cannot be read ({reason}); expected {expected}") from None


def _mark(header: str, needed: Sequence[str]) -> str:
    """Of comma, semicolon and tab, what cuts the header into most names, those that are needed among them."""
    names = {m: [name.strip() for name in next(csv.reader([header], delimiter=m), [])] for m in MARKS}
    return max(MARKS, key=lambda m: (all(n in names[m] for n in needed), len(names[m])))


def _with_points(columns: Sequence[str], row: Sequence[str], verbatim: Sequence[str]) -> list[str]:
    keeps = [name in verbatim for name in columns]
    return [
        cell if keep or not DECIMAL[","].fullmatch(cell) else cell.replace(",", ".")
        for cell, keep in zip(row, keeps, strict=False)
    ]


def _check_header(path: Path, columns: Sequence[str], needed: Sequence[str], what: str) -> None:
    for name in needed:
        if name not in columns:
            raise InputError(f"{what}: {path} has no column {name}; {suggest(name, columns)}")
    for name in dict.fromkeys(name for name in columns if name):
        if columns.count(name) > 1:
            raise InputError(
                f"{what}: {path}: column {name!r} is there {columns.count(name)} times, expected once"
            )


def _check_rows(path: Path, width: int, rows: Iterable[tuple[int, Sequence[str]]], what: str) -> None:
    """Cells beyond the header's would be lost without a word: most often a comma that is not in quotes."""
    wrong = [
        f"{what}: {path} line {line}: found {len(row)} cells, expected {width} as in the header"
        for line, row in rows
        if any(row[width:])
    ]
    if wrong:
        raise InputError("\n".join(wrong))
