"""Which guide stands in which group, and which cards a catalogue has: pages are found, not listed twice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from repository_files import pages

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# Pages docs/NAME.md in reading order. A page that is in no group is told by tests/docs, and stands under "More".
GROUPS = {
    "Ask": ("study", "aggregate", "inherent", "counterfactual", "simulator", "nnunet"),
    "Show": ("report", "viewer", "view", "series", "figures", "dicom"),
    "What was found": ("vessels", "shortcut", "real", "matrix", "comparison"),
    "Inside": ("architecture",),
}
NOT_GUIDES = frozenset({"index", "guides"})
CATALOGUES = ("methods/README", "metrics/README")


def guides(docs: Path) -> set[str]:
    """The names of all docs/NAME.md that are guides."""
    return {path.stem for path in docs.glob("*.md")} - NOT_GUIDES


def grouped(docs: Path) -> dict[str, list[str]]:
    """Group -> the guides in it that exist; what no group names is under "More"."""
    there = guides(docs)
    named = {name for names in GROUPS.values() for name in names}
    found = {title: [name for name in names if name in there] for title, names in GROUPS.items()}
    found["More"] = sorted(there - named)
    return {title: names for title, names in found.items() if names}


def toctree(names: list[str], caption: str = "", hidden: bool = False) -> str:
    """A table of contents as MyST writes it."""
    options = [f":caption: {caption}"] * bool(caption) + [":maxdepth: 1"] + [":hidden:"] * hidden
    return "\n".join(["```{toctree}", *options, "", *names, "```", ""])


def tree_of(docname: str, docs: Path) -> str:
    """What is added to a page: the groups of guides, or the cards of a catalogue."""
    if docname == "guides":
        groups = grouped(docs) | {"Example studies": [n for n in pages(docs.parent) if "/examples/" in n]}
        return "\n".join(toctree(names, title) for title, names in groups.items())
    if docname in CATALOGUES:
        folder = docs / docname.split("/", maxsplit=1)[0]
        return toctree(
            sorted(path.stem for path in folder.glob("*.md") if path.stem != "README"), hidden=True
        )
    return ""


def _add(app: Sphinx, docname: str, source: list[str]) -> None:
    tree = tree_of(docname, Path(app.srcdir))
    if tree:
        source[0] = f"{source[0]}\n\n{tree}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx."""
    app.connect("source-read", _add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
