"""An empty figure on a light card, and text on it that is never read as mathematics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CARD, INK, FAINT, LINE = "#f4f5f7", "#1b1d20", "#4a5058", "#c4c9d0"
# Okabe and Ito's colours, which people with any colour vision can tell apart; yellow is too light for a line.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b0568f", "#c98500", "#56b4e9", "#000000")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
TEXT = 8.5
_LETTER = 0.071  # inches, of 8.5 points, a little more than the mean so that names fit
LONGEST = 34  # letters of a name


def sheet(width: float, height: float) -> Figure:
    """An empty figure of a size in inches."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor=CARD)
    FigureCanvasSVG(figure)
    return figure


def panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place in inches, with a quiet frame."""
    wide, tall = figure.get_size_inches()
    axes = figure.add_axes((left / wide, bottom / tall, width / wide, height / tall), facecolor=CARD)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(LINE)
    axes.tick_params(colors=FAINT, labelcolor=INK, labelsize=TEXT, length=3)
    return axes


def write(axes: Axes, x: float, y: float, text: str, **how: Any) -> None:
    """Text at a place of the axes' data; a method may be called "$"."""
    axes.text(x, y, flat(text), parse_math=False, clip_on=False, **{"fontsize": TEXT, "color": INK, **how})


def flat(text: str) -> str:
    """Text on one line, without what no figure can show."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def short(name: str, longest: int = LONGEST) -> str:
    """A name as figures write it, cut where it is very long; tables have all of it.

    >>> short("kernel_shap", 6)
    'kerne…'
    """
    line = flat(name)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def room(texts: Iterable[str]) -> float:
    """Inches that the longest text takes."""
    return max((len(flat(text)) for text in texts), default=0) * _LETTER + 0.1
