"""A drawing as a small SVG file: text stays text, no date, no identifiers, no needless digits."""

from __future__ import annotations

import base64
import io
import re
import warnings
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from markupsafe import Markup

    from voxplain.report.canvas import Drawing

_SVG, _LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_PLACES = ("d", "x", "y", "transform", "x1", "x2", "y1", "y2", "points")
_PIXELS = 96  # of CSS to the inch
_FONTS = re.compile(r" ?font-family: [^;]+;?")


def svg(drawing: Drawing) -> bytes:
    """The drawing as SVG, the same bytes for the same drawing; fonts are the reader's own."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "voxplain"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's font may have it
        drawing.figure.savefig(
            buffer,
            format="svg",
            facecolor=drawing.figure.get_facecolor(),
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    return _slim(buffer.getvalue())


def as_image(drawing: Drawing) -> Markup:
    """The drawing as an image of a page, which carries its own text for those who cannot see it."""
    from markupsafe import Markup

    wide, tall = (round(_PIXELS * float(side)) for side in drawing.figure.get_size_inches())
    address = "data:image/svg+xml;base64," + base64.b64encode(svg(drawing)).decode()
    return Markup('<img src="{}" width="{}" height="{}" alt="{}">').format(address, wide, tall, drawing.alt)


def _slim(content: bytes) -> bytes:
    """The same picture in a third of the bytes."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _LINK)
    root = ElementTree.fromstring(content)
    for child in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(child)
    used = _referenced(root)
    for element in root.iter():
        _shorten(element, used)
    _unwrap(root)
    root.set("font-family", "system-ui, sans-serif")
    return ElementTree.tostring(root, encoding="unicode").encode()


def _shorten(element: ElementTree.Element, used: set[str]) -> None:
    """Attributes that say nothing, or nothing in their last digits."""
    if element.get("id") not in used:
        element.attrib.pop("id", None)
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    for name in _PLACES:
        if name in element.attrib:
            element.set(name, _rounded(element.attrib[name]))
    if "style" in element.attrib:
        element.set("style", _FONTS.sub("", element.attrib["style"]))
    if element.tag != f"{{{_SVG}}}text":
        element.text = (element.text or "").strip()
    element.tail = ""


def _unwrap(element: ElementTree.Element) -> None:
    """Groups without attributes give way to what they hold."""
    children: list[ElementTree.Element] = []
    for child in element:
        _unwrap(child)
        children += list(child) if child.tag == f"{{{_SVG}}}g" and not child.attrib else [child]
    element[:] = children


def _referenced(root: ElementTree.Element) -> set[str]:
    """Identifiers that something points at."""
    found = set()
    for element in root.iter():
        for value in element.attrib.values():
            found.update(re.findall(r"url\(#([^)]+)\)", value))
        link = element.get(f"{{{_LINK}}}href", "")
        if link.startswith("#"):
            found.add(link[1:])
    return found


def _rounded(text: str) -> str:
    """Two digits after the point are a hundredth of a point."""
    return re.sub(r"\s+", " ", re.sub(r"(\.\d\d)\d+", r"\1", text)).strip()
