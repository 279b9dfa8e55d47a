"""The page of a study as one HTML file: figures inside, no script but the viewer's, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.case.atomic import write_whole
from voxplain.report.study import words
from voxplain.report.study.answer import here
from voxplain.report.study.chapter import Chapter, chapter
from voxplain.report.study.clusters import NEAR
from voxplain.report.study.figures import as_image
from voxplain.report.templating import templates
from voxplain.report.viewer import Embedded

if TYPE_CHECKING:
    from voxplain.report.study.page import MetricResult, StudyPage


def write_study_page(path: str | Path, page: StudyPage) -> Path:
    """Write the page as one self-contained file, whole or not at all.

    Raises:
        InputError: a tile is missing or no PNG, or the file cannot be written.
    """
    return write_whole(Path(path), render_study(page).encode())


def render_study(page: StudyPage) -> str:
    """The page as HTML, the same for the same page. Every text is escaped; figures are embedded.

    Raises:
        InputError: a tile is missing or no PNG.
    """
    # the shared style is among the templates of all pages
    environment = templates("voxplain.report.study", "voxplain.report")
    environment.filters.update(
        image=as_image,
        number=words.number,
        interval=words.interval,
        chance=words.chance,
        better=words.better,
        arrow=words.arrow,
        null=words.null_name,
        sentence=words.sentence,
    )
    environment.globals.update(
        count=words.count,
        near=NEAR,
        lights=words.LIGHTS,
        here=here,
        keys=_keys,
        all_methods=_all_methods,
        all_metrics=_all_metrics,
    )
    chapters = [chapter(number, model) for number, model in enumerate(page.models, start=1)]
    return environment.get_template("study.html.j2").render(
        page=page, chapters=chapters, viewer=Embedded(page.viewer)
    )


def _keys(cases: Mapping[str, Mapping[str, object]]) -> list[str]:
    """What is known of any case, in the order in which it first occurs."""
    return list(dict.fromkeys(key for known in cases.values() for key in known))


def _all_methods(chapters: Sequence[Chapter]) -> list[str]:
    """Methods with a verdict on any model, in the order of the first one."""
    return list(dict.fromkeys(line.verdict.method for c in chapters for line in c.answers.lines))


def _all_metrics(chapters: Sequence[Chapter]) -> list[MetricResult]:
    """Every metric once."""
    return list({part.result.name: part.result for c in reversed(chapters) for part in c.metrics}.values())
