"""What all pages are written with: one way to fill a template, and how a value or a picture is put into it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.errors import InputError
from voxplain.report.by_target import by_target
from voxplain.report.cards import card
from voxplain.report.prediction import percent_sure
from voxplain.report.regions import percent, signed

if TYPE_CHECKING:
    from jinja2 import Environment

    from voxplain.report.page import Picture

_BEGIN = {"png": b"\x89PNG\r\n\x1a\n", "gif": b"GIF89a"}
LEVELS = {"good": "good", "warn": "look closer", "bad": "do not rely on it", "info": "not tested enough"}
LARGE = 100_000  # bytes of an address
QUALITY = 90  # of JPEG: one voxel in a thousand is more than 16 of 255 steps away
_COLUMNS = {
    "score": "Score",
    "status": "Status",
    "forward": "Forward passes",
    "backward": "Backward passes",
    "seconds": "Seconds",
    "peak_mb": "Peak memory (MB)",
    "peak_memory": "Peak memory",
}


def templates(*packages: str) -> Environment:
    """Templates of these packages, the first that has one of a name; every text is escaped, no name may be missing."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "templates") for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        embed=embed,
        compact=compact,
        animated=animated,
        value=value,
        column=column,
        percent=percent,
        probability=percent_sure,
        z=signed,
    )
    environment.globals.update(card=card, by_target=by_target, level_words=LEVELS)
    return environment


def embed(picture: Picture) -> str:
    """A PNG as a data address."""
    return _address(picture, "png")


def compact(picture: Picture) -> str:
    """A PNG as a data address; a large one as JPEG with full colour resolution, a third of its size.

    A page of six methods would take 15 MB for its still pictures otherwise. The files of the run stay exact.
    """
    address = embed(picture)
    if len(address) < LARGE:
        return address
    from PIL import Image

    png = base64.b64decode(address.partition(",")[2])
    whole = Image.open(io.BytesIO(png)).convert("RGBA")
    ground = Image.new("RGBA", whole.size, "white")
    made = io.BytesIO()
    Image.alpha_composite(ground, whole).convert("RGB").save(made, "JPEG", quality=QUALITY, subsampling=0)
    if made.tell() >= len(png):
        return address
    return "data:image/jpeg;base64," + base64.b64encode(made.getvalue()).decode()


def animated(picture: Picture) -> str:
    """An animated GIF as a data address."""
    return _address(picture, "gif")


def _address(picture: Picture, kind: str) -> str:
    name = "picture" if isinstance(picture.png, bytes) else Path(picture.png).as_posix()
    try:
        content = picture.png if isinstance(picture.png, bytes) else Path(picture.png).read_bytes()
    except OSError as problem:
        raise InputError(f"{name}: cannot be read for the page ({problem.strerror})") from problem
    if not content.startswith(_BEGIN[kind]):
        raise InputError(f"{name}: not a {kind.upper()} file; the page takes {kind.upper()}")
    return f"data:image/{kind};base64," + base64.b64encode(content).decode()


def column(name: str) -> str:
    """The heading of a table's column."""
    return _COLUMNS.get(name, name.replace("_", " ").capitalize())


def value(found: object) -> str:
    """A value for a table: short numbers, nested settings as `key: value`, a dash for nothing."""
    if found is None or found == "":
        return "–"
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, Real) and not isinstance(found, Integral):
        return f"{float(found):.4g}".replace("-", "−", 1)
    if isinstance(found, Mapping):
        return ", ".join(f"{key}: {value(item)}" for key, item in found.items()) or "–"
    if isinstance(found, list | tuple):
        return ", ".join(value(item) for item in found) or "–"
    return str(found)
