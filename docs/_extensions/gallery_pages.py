"""Pages that examples make: kept beside the site, and shown in the example's page by ``.. gallery-page:: NAME``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from docutils.parsers.rst import Directive
from voxplain_docs import PAGES

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class GalleryPage(Directive):
    """The page in a frame, and a link to it; both relative, so that the site opens from disk."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Raw HTML: a frame is nothing that reStructuredText has."""
        name = self.arguments[0]
        if not (PAGES / "pages" / f"{name}.html").is_file():
            raise self.error(f"gallery-page: no example has kept {name}.html; it calls voxplain_docs.keep")
        address = f"../pages/{name}.html"
        text = (
            f'<p><a href="{address}">Open the page by itself</a></p>'
            f'<iframe class="page" src="{address}" title="the page {name}" loading="lazy"></iframe>'
        )
        return [nodes.raw("", text, format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx; examples have run when pages are read."""
    (Path(PAGES) / "pages").mkdir(parents=True, exist_ok=True)
    app.add_directive("gallery-page", GalleryPage)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
