"""What every method computes, means and does not mean: the cards of docs/methods, which the wheel carries."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import voxplain

SECTIONS = ("What it computes", "What the map means", "What it does not mean", "When it fails")
PACKED = Path(voxplain.__file__).parent / "report" / "method_cards"
# where the package runs from its repository
SOURCE = Path(voxplain.__file__).parents[2] / "docs" / "methods"


@lru_cache
def card(method: str) -> tuple[tuple[str, str], ...]:
    """(Heading, HTML) of a method's card; empty where it has none, such as a method of another package.

    HTML in a card is shown as text, and links are their words, since a page leads nowhere.
    """
    file = next((f for f in (folder / f"{method}.md" for folder in (PACKED, SOURCE)) if f.is_file()), None)
    if file is None or not re.fullmatch(r"\w+", method):
        return ()
    found = sections(file.read_text(encoding="utf-8"))
    return tuple((name, _html(found[name])) for name in SECTIONS if name in found)


def sections(text: str) -> dict[str, str]:
    """A card's text by its headings of the second level.

    >>> sections("# A" + chr(10) + "## B" + chr(10) + "c" + chr(10) + "## D" + chr(10) + "e")
    {'B': 'c', 'D': 'e'}
    """
    parts = re.split(r"^## +(.+)$", text, flags=re.MULTILINE)
    return {
        name.strip(): body.strip().replace("\n\n\n", "\n\n")
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def _html(text: str) -> str:
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table")
    for kind in ("link_open", "link_close", "image"):
        reader.add_render_rule(kind, lambda *_: "")
    return str(reader.render(text))
