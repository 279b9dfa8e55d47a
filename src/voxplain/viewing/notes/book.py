"""Notes in SQLite inside the study's folder: none is lost where the server is killed, and none is ever overwritten."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voxplain.errors import StorageError
from voxplain.viewing.notes.note import SCALE, Note

FILE = "notes.sqlite"
VERSION = 1
PATIENCE = 15.0  # seconds for another process that writes
COLUMNS = "model, case_id, method, author, usefulness, agreement, text, letter, written"
TABLE = """
CREATE TABLE IF NOT EXISTS notes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    model TEXT NOT NULL,
    case_id TEXT NOT NULL,
    method TEXT NOT NULL,
    author TEXT NOT NULL,
    usefulness INTEGER CHECK (usefulness BETWEEN 1 AND 5),
    agreement INTEGER CHECK (agreement BETWEEN 1 AND 5),
    text TEXT NOT NULL,
    letter TEXT NOT NULL,
    written TEXT NOT NULL
)
"""


class NoteBook:
    """All notes of a study.

    Notes are added and never changed: of several about the same thing by the same author the last one counts, and the
    others are its history. The file is made with the first note.

    Args:
        out: the study's folder, without links.
    """

    def __init__(self, out: Path) -> None:
        self.path = out / FILE

    def add(self, note: Note) -> Note:
        """Keep a note, with the time; it is on the disk when this returns.

        Raises:
            StorageError: it cannot be written.
        """
        kept = replace(note, written=datetime.now(UTC).isoformat(timespec="milliseconds"))
        values = (
            kept.model,
            kept.case,
            kept.method,
            kept.author,
            kept.usefulness,
            kept.agreement,
            kept.text,
            kept.letter,
            kept.written,
        )
        with self._open(make=True) as connection, connection:
            connection.execute(f"INSERT INTO notes ({COLUMNS}) VALUES ({', '.join('?' * 9)})", values)
        return kept

    def all(self) -> list[Note]:
        """Every version of every note, in the order of writing.

        Raises:
            StorageError: the file is damaged.
        """
        return self._read("", ())

    def of(self, model: str, case: str) -> list[Note]:
        """Every version of the notes on a model and a case."""
        return self._read("WHERE model = ? AND case_id = ?", (model, case))

    def latest(self) -> list[Note]:
        """The notes that count."""
        return latest(self.all())

    def _read(self, where: str, values: tuple[str, ...]) -> list[Note]:
        if not self.path.exists() and not self.path.is_symlink():
            return []
        with self._open(make=False) as connection:
            if not _version(connection):  # whoever made the file was ended before its first note
                return []
            rows = connection.execute(f"SELECT {COLUMNS} FROM notes {where} ORDER BY number", values)
            return [_note(row) for row in rows]

    @contextmanager
    def _open(self, *, make: bool) -> Iterator[sqlite3.Connection]:
        """A connection of this thread's own."""
        if self.path.is_symlink():
            raise StorageError(f"{FILE}: a link, which may leave the study; expected a file")
        try:
            with closing(sqlite3.connect(self.path, timeout=PATIENCE)) as connection:
                if (version := _version(connection)) not in (0, VERSION):
                    raise StorageError(f"{FILE}: version {version}, this voxplain reads {VERSION}")
                if make:
                    # readers do not wait for writers; where a disk cannot do it, SQLite stays with its journal
                    connection.execute("PRAGMA journal_mode = WAL")
                    connection.execute("PRAGMA synchronous = FULL")
                    connection.execute(TABLE)
                    connection.execute(f"PRAGMA user_version = {VERSION}")
                yield connection
        except sqlite3.Error as error:
            raise StorageError(f"{FILE}: {error}") from error


def _note(row: tuple[Any, ...]) -> Note:
    """A row as this class writes it; the file may have come from anywhere."""
    found = Note(*row)
    texts = (found.model, found.case, found.method, found.author, found.text, found.letter, found.written)
    ratings = (found.usefulness, found.agreement)
    whole = all(isinstance(t, str) for t in texts)
    if not whole or not all(r is None or (isinstance(r, int) and r in SCALE) for r in ratings):
        raise StorageError(f"{FILE}: a note is not as voxplain writes it")
    return found


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def latest(notes: list[Note]) -> list[Note]:
    """Of several versions the last."""
    return list({note.about: note for note in notes}.values())
