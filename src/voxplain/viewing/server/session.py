"""What one start of the server shows, and how."""

from __future__ import annotations

from dataclasses import dataclass

from voxplain.viewing.folder import Folder
from voxplain.viewing.notes import NoteBook
from voxplain.viewing.readers.blinding import Blinding
from voxplain.viewing.volumes import Served


@dataclass(frozen=True, eq=False)
class Session:
    """A folder that is looked at.

    Attributes:
        blinding: where it is a reader study; None where methods are shown by their names.
        reader: who looks at it, where that was said at the start.
    """

    folder: Folder
    volumes: Served
    notes: NoteBook
    blinding: Blinding | None = None
    reader: str = ""

    @classmethod
    def of(cls, folder: Folder, *, blinded: bool = False, seed: int = 0, reader: str = "") -> Session:
        """A session of a folder."""
        blinding = Blinding(folder, seed) if blinded else None
        return cls(folder, Served(folder), NoteBook(folder.out), blinding, reader)
