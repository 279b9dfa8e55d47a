"""The viewer's script and style, as the build left them beside this module."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

MISSING = (
    "The viewer was not built with this installation of voxplain (see VOXPLAIN_SKIP_VIEWER), so that maps are shown as "
    "still pictures only."
)


@dataclass(frozen=True)
class Assets:
    """Two scripts without any module, and one style sheet.

    Attributes:
        script: the planes, which the page runs when it opens.
        style: of both.
        solid: the view in three dimensions, which the page runs when the reader asks for it.
    """

    script: str
    style: str
    solid: str

    @property
    def policy(self) -> str:
        """The script as a content security policy names it: the page runs this one and no other."""
        return _hashed(self.script)

    @property
    def solid_policy(self) -> str:
        """The same of the second script, whose text the page makes from `solid_packed`."""
        return _hashed(self.solid)

    @cached_property
    def solid_packed(self) -> str:
        """Base64 of its zlib stream: a third of its size."""
        return base64.b64encode(zlib.compress(self.solid.encode(), 9)).decode()


def _hashed(script: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"


@cache
def assets() -> Assets | None:
    """What the build made; None where it was skipped."""
    built = files("voxplain.report.viewer") / "built"
    try:
        script = (built / "viewer.js").read_text(encoding="utf-8")
        style = (built / "viewer.css").read_text(encoding="utf-8")
        solid = (built / "solid.js").read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Assets(_within(script, "script"), _within(style, "style"), solid.replace("\r\n", "\n"))


def _within(text: str, tag: str) -> str:
    """As the content of an element, which must not be closed by what stands in it."""
    return "\n" + text.replace(f"</{tag}", f"<\\/{tag}").replace("\r\n", "\n").strip() + "\n"
