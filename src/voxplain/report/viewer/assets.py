"""The viewer's script and style, as the build left them beside this module."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

MISSING = (
    "The viewer was not built with this installation of voxplain (see VOXPLAIN_SKIP_VIEWER), so that maps are shown as "
    "still pictures only."
)


@dataclass(frozen=True)
class Assets:
    """One script without any module, and one style sheet."""

    script: str
    style: str

    @cached_property
    def policy(self) -> str:
        """The script as a content security policy names it: the page runs this one and no other."""
        return "'sha256-" + base64.b64encode(hashlib.sha256(self.script.encode()).digest()).decode() + "'"


def assets(name: str = "viewer") -> Assets | None:
    """What the build made of the "viewer", the "series" or the "cells"; None where it was skipped."""
    built = files("voxplain.report.viewer") / "built"
    try:
        script = (built / f"{name}.js").read_text(encoding="utf-8")
        sheet = built / f"{name}.css"  # a script need not have one
        style = sheet.read_text(encoding="utf-8") if sheet.is_file() else ""
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Assets(_within(script, "script"), _within(style, "style"))


def _within(text: str, tag: str) -> str:
    """As the content of an element, which must not be closed by what stands in it."""
    return "\n" + text.replace(f"</{tag}", f"<\\/{tag}").replace("\r\n", "\n").strip() + "\n"
