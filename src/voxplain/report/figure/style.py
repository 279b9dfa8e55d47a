"""How the sheet looks: millimetres, points, colours of the paper."""

from __future__ import annotations

from dataclasses import dataclass

from voxplain.errors import InputError

WIDTHS = {"single": 89.0, "double": 183.0}
"""Widths of columns in mm, as most journals have them."""

PAPER, INK, FAINT = "#ffffff", "#1a1c1e", "#5f6368"
POINT = 25.4 / 72
"""Millimetres of a point."""


@dataclass(frozen=True)
class Style:
    """Sizes of everything.

    Attributes:
        width: of the sheet in mm, at most.
        points: size of the text; smaller text is in proportion.
        tallest: of the sheet in mm; pictures, and with them the sheet, become smaller where it would be exceeded.
        letters: of the patient's directions, on the image of each row.
        scale_bar: on the image of each row.
        outlines: of labels.
    """

    width: float = WIDTHS["double"]
    points: float = 7.0
    tallest: float = 240.0
    letters: bool = True
    scale_bar: bool = True
    outlines: bool = True

    @property
    def small(self) -> float:
        """Points of numbers and marks."""
        return 0.86 * self.points

    @property
    def line(self) -> float:
        """Height of a line of text in mm."""
        return 1.35 * self.points * POINT


def width_of(asked: float | str) -> float:
    """Millimetres of a width that may have a name.

    Raises:
        InputError: an unknown name, or a width that no text fits into.

    >>> width_of("single"), width_of(120)
    (89.0, 120.0)
    """
    if isinstance(asked, str) and asked in WIDTHS:
        return WIDTHS[asked]
    try:
        width = float(asked)
    except ValueError:
        known = ", ".join(f"{name} ({mm:g} mm)" for name, mm in WIDTHS.items())
        raise InputError(f"figure: width {asked!r}; expected {known} or a number of mm") from None
    if not 30 <= width <= 1000:
        raise InputError(f"figure: width {width:g} mm; expected 30 to 1000")
    return width
