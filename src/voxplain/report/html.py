"""The page as one HTML file: pictures inside, no script but the viewer's, nothing loaded from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.case.atomic import write_whole
from voxplain.report.page import light_of
from voxplain.report.templating import templates
from voxplain.report.viewer import Embedded

if TYPE_CHECKING:
    from voxplain.report.page import Level, Page, Section

_WORDS = {"good": "good", "warn": "look closer", "bad": "do not rely on it", "info": "for information"}


def write_page(path: str | Path, page: Page) -> Path:
    """Write the page as one self-contained file, whole or not at all.

    Raises:
        InputError: a picture is missing or no PNG, or the file cannot be written.
    """
    return write_whole(Path(path), render(page).encode())


def render(page: Page) -> str:
    """The page as HTML. Every text is escaped; pictures are embedded.

    Raises:
        InputError: a picture is missing or no PNG.
    """
    return (
        templates("voxplain.report")
        .get_template("page.html.j2")
        .render(
            page=page,
            words=_WORDS,
            columns=_columns(page.sections),
            viewer=Embedded(page.viewer),
            light_of=_light_of,
        )
    )


def _light_of(page: Page, section: Section) -> tuple[Level, str]:
    return light_of(section, {panel.method: panel.level for panel in page.trust})


def _columns(sections: tuple[Section, ...]) -> list[str]:
    """The keys of all rows, in the order in which they first occur."""
    return list(dict.fromkeys(key for section in sections for key in section.row))
