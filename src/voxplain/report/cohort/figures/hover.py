"""A drawing inside the page itself, whose parts say their numbers when pointed at: no script, only SVG titles."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from voxplain.report.canvas import Drawing
from voxplain.report.study.figures import svg
from voxplain.report.study.figures.sheet import flat

if TYPE_CHECKING:
    from markupsafe import Markup

_POINTS = 72  # to the inch
_STYLE = re.compile(r"<style[^>]*>.*?</style>", re.DOTALL)


@dataclass(frozen=True)
class Spot:
    """A rectangle in inches from the figure's upper left corner, and what it says."""

    left: float
    top: float
    width: float
    height: float
    text: str


@dataclass(frozen=True)
class Hovered(Drawing):
    """A drawing with spots."""

    spots: tuple[Spot, ...] = ()


def inline(drawing: Drawing) -> Markup:
    """The drawing as an `svg` element; an image in an `img` would not show its titles.

    Its style is left out, since it would hold for all of the page.
    """
    from markupsafe import Markup

    text = _STYLE.sub("", svg(drawing).decode())
    spots = drawing.spots if isinstance(drawing, Hovered) else ()
    wide, tall = drawing.figure.get_size_inches()
    size = f'width="{96 * wide:.0f}" height="{96 * tall:.0f}"'
    head = f'<svg role="img" aria-label={quoteattr(flat(drawing.alt))} stroke-linejoin="round" stroke-linecap="butt" {size} '
    opened = re.sub(r'\s(width|height)="[^"]*"', "", text[: text.index(">") + 1])
    text = head + opened.removeprefix("<svg ") + text[text.index(">") + 1 :]
    return Markup(text.removesuffix("</svg>") + _layer(spots) + "</svg>")


def _layer(spots: Iterable[Spot]) -> str:
    """Spots of one row share its group, which keeps a hundred by a hundred of them small."""
    rows: dict[tuple[float, float], list[Spot]] = {}
    for spot in spots:
        rows.setdefault((spot.top, spot.height), []).append(spot)
    made = []
    for (top, height), own in rows.items():
        rects = "".join(
            f'<rect x="{_POINTS * s.left:.1f}" width="{_POINTS * s.width:.1f}" height="{_POINTS * height:.1f}">'
            f"<title>{escape(flat(s.text))}</title></rect>"
            for s in own
        )
        made.append(f'<g transform="translate(0 {_POINTS * top:.1f})">{rects}</g>')
    return f'<g fill="#fff" fill-opacity="0" class="spots">{"".join(made)}</g>' if made else ""
