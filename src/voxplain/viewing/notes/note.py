"""One note."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voxplain.errors import InputError

SCALE = range(1, 6)
MOST_TEXT, MOST_NAME = 10_000, 100  # characters


@dataclass(frozen=True)
class Note:
    """What somebody thinks of a case, or of one method's map of it.

    Attributes:
        method: its name in the study; empty where the note is about the case.
        author: who wrote it.
        usefulness: from 1 (useless) to 5 (very useful); None where not rated.
        agreement: how far the map shows what the author would have pointed at, from 1 (not at all) to 5; None likewise.
        text: anything else.
        letter: what the author saw instead of the method's name; empty where the name was shown.
        written: UTC, ISO 8601; empty before it is kept.
    """

    model: str
    case: str
    method: str
    author: str
    usefulness: int | None
    agreement: int | None
    text: str
    letter: str = ""
    written: str = ""

    @property
    def about(self) -> tuple[str, str, str, str, bool]:
        """What a later note replaces an earlier one of."""
        return self.model, self.case, self.method, self.author, bool(self.letter)


def author_of(given: object) -> str:
    """A name as it is kept: one line, no space at its ends, composed letters.

    Raises:
        InputError: none, or too long a one.
    """
    text = unicodedata.normalize("NFC", " ".join(given.split())) if isinstance(given, str) else ""
    if not text or not text.isprintable():
        raise InputError("author: give a name, so that notes can be told apart")
    if len(text) > MOST_NAME:
        raise InputError(f"author: {len(text)} characters, expected {MOST_NAME} at most")
    return text


def rating_of(given: object, name: str) -> int | None:
    """A whole number from 1 to 5, or nothing.

    Raises:
        InputError: anything else.
    """
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int) or given not in SCALE:
        raise InputError(f"{name}: found {str(given)[:20]!r}, expected a whole number from 1 to 5")
    return given


def text_of(given: object) -> str:
    """Free text without control characters but line ends and tabs.

    Raises:
        InputError: no text, or too much.
    """
    if not isinstance(given, str):
        raise InputError("text: expected text")
    kept = "".join(c for c in given.replace("\r\n", "\n") if c in "\n\t" or unicodedata.category(c) != "Cc")
    kept = kept.encode("utf-8", "replace").decode("utf-8").strip()
    if len(kept) > MOST_TEXT:
        raise InputError(f"text: {len(kept)} characters, expected {MOST_TEXT} at most")
    return kept


def fields_of(sent: Mapping[str, Any]) -> dict[str, Any]:
    """What a browser sent of a note, checked.

    Raises:
        InputError: which field cannot be used, or nothing was said.
    """
    found = {
        "author": author_of(sent.get("author")),
        "usefulness": rating_of(sent.get("usefulness"), "usefulness"),
        "agreement": rating_of(sent.get("agreement"), "agreement"),
        "text": text_of(sent.get("text", "")),
    }
    if found["usefulness"] is None and found["agreement"] is None and not found["text"]:
        raise InputError("note: nothing was said; rate it, or write something")
    return found
