"""A study's notes without any server."""

from __future__ import annotations

from pathlib import Path

from voxplain.errors import InputError
from voxplain.viewing.folder import opened
from voxplain.viewing.notes import Note, NoteBook, write_csv
from voxplain.viewing.readers import Agreement, reader_agreement


def read_notes(study: str | Path, *, history: bool = False) -> list[Note]:
    """The notes in a study's folder, in the order of writing.

    Args:
        history: every version, and not only those that count.

    Raises:
        InputError: no such study.
        StorageError: the notes' file is damaged.
    """
    book = NoteBook(opened(study).out)
    return book.all() if history else book.latest()


def export_notes(study: str | Path, to: str | Path) -> Path:
    """Write all versions of all notes as a CSV, with the methods' true names.

    Raises:
        InputError: no such study, or no notes in it.
        StorageError: it cannot be written.
    """
    notes = read_notes(study, history=True)
    if not notes:
        raise InputError(f"{study}: nobody has written a note yet")
    return write_csv(notes, Path(to))


def study_agreement(study: str | Path, *, draws: int = 1000, seed: int = 0) -> list[Agreement]:
    """How far readers of a study agree, for both questions; `voxplain.viewing.readers.told` makes a table of it.

    Args:
        draws: of cases, for the intervals.
        seed: of the draws.

    Raises:
        InputError: no such study, or nobody has rated anything.
    """
    return reader_agreement(read_notes(study), draws=draws, seed=seed)
