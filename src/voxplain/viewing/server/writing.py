"""What the page writes: notes, and nothing else."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException

from voxplain.errors import InputError
from voxplain.viewing.folder import Item
from voxplain.viewing.notes import Note
from voxplain.viewing.notes.note import fields_of
from voxplain.viewing.server.plain import SentError
from voxplain.viewing.server.session import Session


class Writing:
    """Notes from browsers."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def add(self, number: int, sent: dict[str, Any]) -> dict[str, Any]:
        """Keep a note on an item.

        Raises:
            SentError: a field that cannot be used.
        """
        items = self.session.folder.items
        if not 0 <= number < len(items):
            raise HTTPException(404)
        if self.session.reader:
            sent = {**sent, "author": self.session.reader}
        try:
            said = fields_of(sent)
            method, letter = self._method(items[number], said["author"], sent)
        except InputError as error:
            raise SentError(str(error)) from None
        kept = self.session.notes.add(
            Note(items[number].model, items[number].case, method, letter=letter, **said)
        )
        return {"written": kept.written}

    def _method(self, item: Item, reader: str, sent: dict[str, Any]) -> tuple[str, str]:
        """What the note is about: the case, or in a reader study the method behind a letter."""
        blinding = self.session.blinding
        if blinding is None:
            return "", ""
        letter = str(sent.get("method", ""))[:8]
        return blinding.method(reader, item, letter), letter
