"""The page as one HTML file: pictures inside, no script, nothing loaded from anywhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.case.atomic import write_whole
from voxplain.errors import InputError

if TYPE_CHECKING:
    from voxplain.report.page import Page, Picture, Section

_PNG = b"\x89PNG\r\n\x1a\n"
_WORDS = {"good": "good", "warn": "look closer", "bad": "do not rely on it", "info": "for information"}
_COLUMNS = {
    "score": "Score",
    "status": "Status",
    "forward": "Forward passes",
    "backward": "Backward passes",
    "seconds": "Seconds",
    "peak_mb": "Peak memory (MB)",
    "peak_memory": "Peak memory",
}


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
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("voxplain.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(embed=_embed, value=_value, column=_column)
    return environment.get_template("page.html.j2").render(
        page=page, words=_WORDS, columns=_columns(page.sections)
    )


def _embed(picture: Picture) -> str:
    """A PNG as a data address."""
    name = "picture" if isinstance(picture.png, bytes) else Path(picture.png).as_posix()
    try:
        content = picture.png if isinstance(picture.png, bytes) else Path(picture.png).read_bytes()
    except OSError as problem:
        raise InputError(f"{name}: cannot be read for the page ({problem.strerror})") from problem
    if not content.startswith(_PNG):
        raise InputError(f"{name}: not a PNG file; the page takes PNG")
    return "data:image/png;base64," + base64.b64encode(content).decode()


def _columns(sections: tuple[Section, ...]) -> list[str]:
    """The keys of all rows, in the order in which they first occur."""
    return list(dict.fromkeys(key for section in sections for key in section.row))


def _column(name: str) -> str:
    return _COLUMNS.get(name, name.replace("_", " ").capitalize())


def _value(value: object) -> str:
    """A value for a table: short numbers, nested settings as `key: value`, a dash for nothing."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Real) and not isinstance(value, Integral):
        return f"{float(value):.4g}".replace("-", "−", 1)
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_value(item)}" for key, item in value.items()) or "–"
    if isinstance(value, list | tuple):
        return ", ".join(_value(item) for item in value) or "–"
    return str(value)
