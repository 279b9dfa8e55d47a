"""What readers write down about cases and maps: kept in the study's folder, every version of it."""

from voxplain.viewing.notes.book import NoteBook
from voxplain.viewing.notes.export import as_csv, write_csv
from voxplain.viewing.notes.note import Note

__all__ = ["Note", "NoteBook", "as_csv", "write_csv"]
