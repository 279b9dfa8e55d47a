"""A study's folder in a browser of this machine: cases, notes, reader studies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxplain.lazy import lazily

if TYPE_CHECKING:
    from voxplain.viewing.notebook import (
        export_notes as export_notes,
        read_notes as read_notes,
        study_agreement as study_agreement,
    )
    from voxplain.viewing.notes import Note as Note
    from voxplain.viewing.readers import Agreement as Agreement
    from voxplain.viewing.server.start import serve as serve

_WHERE = {
    "Agreement": "voxplain.viewing.readers.agreement",
    "Note": "voxplain.viewing.notes.note",
    "export_notes": "voxplain.viewing.notebook",
    "read_notes": "voxplain.viewing.notebook",
    "serve": "voxplain.viewing.server.start",
    "study_agreement": "voxplain.viewing.notebook",
}
__all__ = ["Agreement", "Note", "export_notes", "read_notes", "serve", "study_agreement"]
__getattr__, __dir__ = lazily(__name__, _WHERE)
