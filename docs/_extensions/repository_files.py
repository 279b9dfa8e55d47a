"""Pages link to files of the repository as a code host reads them; here those links are led into the site.

`../examples/vessels/README.md` becomes a page of the site, made from that file; any other file of the repository is
laid beside the pages, to be read as it is. So one link serves the code host and the site.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LINK = re.compile(r"(?P<before>!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()(?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
PAGES = "repository"  # folder of the site with the pages made from Markdown outside docs/


def pages(root: Path) -> dict[str, Path]:
    """Name in the site -> Markdown file outside docs/ that is a page of it."""
    found = [root / "README.md", *sorted((root / "examples").glob("*/README.md"))]
    return {_page_of(path.relative_to(root)): path for path in found}


def _page_of(path: Path) -> str:
    return f"{PAGES}/{'/'.join(path.with_suffix('').parts)}"


def led(text: str, place: Path, docname: str, root: Path) -> tuple[str, set[Path]]:
    """Markdown with its links to files led to where they are in the site.

    Args:
        text: of the page.
        place: the folder that its links start from, in the repository.
        docname: of the page in the site.
        root: of the repository.

    Returns:
        The text, and the files (relative to the repository) that must lie in the site's ``_files``.
    """
    needed: set[Path] = set()
    outside = not place.is_relative_to(root / "docs")
    depth = docname.count("/")

    def lead(match: re.Match[str]) -> str:
        target = match["target"]
        if "://" in target or target.startswith(("mailto:", "/")):
            return match[0]
        path = Path(os.path.normpath(place / target))
        if not path.is_relative_to(root) or not path.exists():
            return match[0]  # Sphinx tells that it leads nowhere
        inner = path.relative_to(root)
        if inner.parts[0] == "docs" and not outside:
            return match[0]
        if path.is_dir() and (path / "README.md").is_file():
            path, inner = path / "README.md", inner / "README.md"
        if inner.parts[0] == "docs":
            new = "../" * depth + "/".join(inner.parts[1:])
        elif path.suffix == ".md" and _page_of(inner) in pages(root):
            new = "../" * depth + _page_of(inner) + ".md"
        else:
            needed.add(inner)
            # a bare address: MyST would look for a document
            return f"{match['before']}<path:/_files/{inner.as_posix()}>)" if path.is_file() else match[0]
        return f"{match['before']}{new}{match['anchor'] or ''})"

    return LINK.sub(lead, text), needed


def _write_pages(app: Sphinx) -> None:
    """Make the pages of the repository's own Markdown files; written only where changed."""
    root = Path(app.srcdir).parent
    for name, path in pages(root).items():
        text, needed = led(path.read_text(encoding="utf-8"), path.parent, name, root)
        lay_files(app, needed)
        made = Path(app.srcdir) / f"{name}.md"
        made.parent.mkdir(parents=True, exist_ok=True)
        if not made.is_file() or made.read_text(encoding="utf-8") != text:
            made.write_text(text, encoding="utf-8")


def lay_files(app: Sphinx, needed: set[Path]) -> None:
    """Lay files of the repository where the pages' links find them."""
    root = Path(app.srcdir).parent
    for inner in sorted(needed):
        to = Path(app.srcdir) / "_files" / inner
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / inner, to)


def _lead(app: Sphinx, docname: str, source: list[str]) -> None:
    path = Path(app.env.doc2path(docname))
    if path.suffix != ".md" or docname.startswith(PAGES):
        return
    source[0], needed = led(source[0], path.parent, docname, Path(app.srcdir).parent)
    lay_files(app, needed)


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx."""
    app.connect("builder-inited", _write_pages)
    app.connect("source-read", _lead)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
