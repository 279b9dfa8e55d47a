"""Docstrings are plain text with `code` in backticks; here they become reStructuredText that means the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CODE = re.compile(r"(``.+?``|`[^`]+`)")
# What reStructuredText would read as markup: emphasis, substitutions, references such as `x_`.
MARKUP = re.compile(r"([*|]|(?<=\w)_(?=\W|$))")


def plain(line: str) -> str:
    """One line: code stays code, everything else stays what it says."""
    parts = CODE.split(line)
    for place, part in enumerate(parts):
        if place % 2 == 0:
            parts[place] = MARKUP.sub(r"\\\1", part)
        elif not part.startswith("``"):
            parts[place] = f"`{part}`"
    return "".join(parts)


def plain_lines(lines: list[str]) -> list[str]:
    """A docstring, except its examples (``>>>`` to the next empty line) and what is indented after ``::``."""
    made, verbatim, margin = [], False, None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line.lstrip().startswith(">>>"):
            verbatim = True
        elif not line.strip():
            verbatim = False
        if margin is not None and line.strip() and indent <= margin:
            margin = None
        made.append(line if verbatim or margin is not None else plain(line))
        if line.rstrip().endswith("::") and not verbatim:
            margin = indent
    return made


def _process(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    lines[:] = plain_lines(lines)


def _sign(
    app: Sphinx,
    what: str,
    name: str,
    thing: object,
    options: object,
    signature: str | None,
    answer: str | None,
) -> tuple[str, str | None] | None:
    """A dataclass's default that is made anew is no Python; with it, Sphinx reads nothing of the signature."""
    return None if signature is None else (signature.replace("<factory>", "..."), answer)


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx; before napoleon, which writes markup of its own."""
    app.connect("autodoc-process-docstring", _process, priority=100)
    app.connect("autodoc-process-signature", _sign)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
