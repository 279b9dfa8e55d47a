"""The page of a cohort as one HTML file: figures inside, one script that reads their cells out, nothing loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.case.atomic import write_whole
from voxplain.report.cohort.chapter import chapter
from voxplain.report.cohort.figures.hover import Hovered, inline
from voxplain.report.cohort.shown import words as own
from voxplain.report.study import words
from voxplain.report.study.figures import as_image
from voxplain.report.templating import templates
from voxplain.report.viewer import assets

if TYPE_CHECKING:
    from markupsafe import Markup

    from voxplain.report.canvas import Drawing
    from voxplain.report.cohort.page import CohortPage


def write_cohort_page(path: str | Path, page: CohortPage) -> Path:
    """Write the page as one self-contained file, whole or not at all.

    Raises:
        InputError: a picture is missing or no PNG, or the file cannot be written.
    """
    return write_whole(Path(path), render_cohort(page).encode())


def render_cohort(page: CohortPage) -> str:
    """The page as HTML, the same for the same page. Every text is escaped; figures are embedded.

    Raises:
        InputError: a picture is missing or no PNG.
    """
    # parts and styles are those of the study's page
    environment = templates("voxplain.report.cohort", "voxplain.report.study", "voxplain.report")
    environment.filters.update(
        image=_image,
        number=words.number,
        interval=words.interval,
        chance=words.chance,
        share=own.share,
        listed=own.listed,
        closed=own.closed,
    )
    environment.globals.update(count=words.count)
    chapters = [chapter(number, model, page) for number, model in enumerate(page.models, start=1)]
    return environment.get_template("cohort.html.j2").render(
        page=page, chapters=chapters, built=assets("cells")
    )


def _image(drawing: Drawing) -> Markup:
    """What can be pointed at stands in the page itself, the rest is an image; both carry their text."""
    if isinstance(drawing, Hovered) and drawing.spots:
        return inline(drawing)
    return as_image(drawing)
