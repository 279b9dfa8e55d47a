"""Notes as a table that spreadsheets open without running anything in it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from voxplain.case.atomic import write_whole
from voxplain.viewing.notes.book import latest
from voxplain.viewing.notes.note import Note

COLUMNS = (
    "model", "case", "method", "shown_as", "author", "usefulness", "agreement", "text", "written", "counts",
)  # fmt: skip
FORMULA = "=+-@\t\r\n＝＋－＠"
"""First characters that make a spreadsheet take text for a formula (OWASP, CSV injection)."""


def as_csv(notes: Sequence[Note]) -> str:
    """All versions, in the order of writing; `counts` is 1 for those that no later one replaced."""
    counting = {id(note) for note in latest(list(notes))}
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for n in notes:
        said = (n.model, n.case, n.method, n.letter, n.author)
        writer.writerow(
            [
                *map(harmless, said),
                "" if n.usefulness is None else n.usefulness,
                "" if n.agreement is None else n.agreement,
                harmless(n.text),
                n.written,
                int(id(n) in counting),
            ]
        )
    return buffer.getvalue()


def write_csv(notes: Sequence[Note], path: Path) -> Path:
    """Write them whole or not at all, in UTF-8 that spreadsheets know for it.

    Raises:
        StorageError: it cannot be written.
    """
    return write_whole(path, ("\ufeff" + as_csv(notes)).encode())


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe before what begins like one.

    >>> harmless("=1+1"), harmless(" @SUM(A1)"), harmless("a=b")
    ("'=1+1", "' @SUM(A1)", 'a=b')
    """
    bare = text.lstrip(" \u00a0")
    return f"'{text}" if bare and bare[0] in FORMULA else text
