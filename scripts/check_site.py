"""Check a built site: nothing is loaded from elsewhere, and every link inside it leads somewhere.

python scripts/check_site.py build/docs
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes that a browser follows by itself; a link that a reader clicks may lead elsewhere.
LOADS = {
    "script": ("src",), "link": ("href",), "img": ("src", "srcset"), "iframe": ("src",), "source": ("src", "srcset"),
    "video": ("src", "poster"), "audio": ("src",), "object": ("data",), "embed": ("src",),
}  # fmt: skip
NOT_LOADED = {"next", "prev", "search", "index", "canonical", "help", "author", "license"}  # rel of <link>
ELSEWHERE = re.compile(r"^(https?:)?//", re.IGNORECASE)
IN_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)


class _Page(HTMLParser):
    """What a page loads, and where its links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {k: v or "" for k, v in attributes}
        if tag == "link" and NOT_LOADED & set(given.get("rel", "").split()):
            return
        self.loads += [given[name] for name in LOADS.get(tag, ()) if name in given]
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])


def faults(root: Path) -> Iterator[str]:
    """One line per resource that is loaded from elsewhere, and per link or resource that is not there."""
    for path in sorted(root.rglob("*")):
        if path.suffix == ".css":
            text = path.read_text(encoding="utf-8")
            yield from (f"{path.relative_to(root)}: loads {found}" for found in IN_STYLE.findall(text))
        if (
            path.suffix != ".html" or "_static" in path.relative_to(root).parts
        ):  # a theme's own templates lie there
            continue
        text = path.read_text(encoding="utf-8")
        page = _Page(text)
        yield from (f"{path.relative_to(root)}: loads {found}" for found in IN_STYLE.findall(text))
        yield from (f"{path.relative_to(root)}: loads {url}" for url in page.loads if ELSEWHERE.match(url))
        for url in {*page.loads, *page.links}:
            if not _leads(path, url):
                yield f"{path.relative_to(root)}: {url} leads nowhere"


def _leads(page: Path, url: str) -> bool:
    parts = urlsplit(url)
    if parts.scheme or ELSEWHERE.match(url) or not parts.path:
        return True
    return (page.parent / unquote(parts.path)).exists()


def main() -> None:
    """Print the faults; exit code 1 where there are any."""
    root = Path(sys.argv[1])
    found = list(faults(root))
    print(*found, sep="\n", end="\n" if found else "")
    if found:
        raise SystemExit(f"check_site.py: {len(found)} faults in {root}")
    print(f"{(root / 'index.html').resolve()}")


if __name__ == "__main__":
    main()
