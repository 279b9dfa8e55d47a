"""Numbers, levels and names as the page writes them."""

from __future__ import annotations

import math

from voxplain.report.page import Level

NONE = "–"
LIGHTS: dict[str, Level] = {"holds": "good", "partly": "warn", "fails": "bad", "cannot tell": "info"}
"""A verdict's level -> the light of the page; its word always stands beside it."""

_NULLS = {"zero": "zeros", "random": "random map", "edges": "edges", "constant": "constant map"}
_BETTER = {"higher": "higher is better", "lower": "lower is better", "neither": "only describes"}
_ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}
_KINDS = {
    "spearman": "rank correlation of the signed maps",
    "spearman_absolute": "rank correlation of the maps' sizes",
    "pearson": "correlation of the signed maps",
    "pearson_absolute": "correlation of the maps' sizes",
    "top_k": "overlap of the largest voxels",
    "ssim": "structural similarity of the maps' sizes",
}


def number(value: float | None, digits: int = 3) -> str:
    """A number with few digits and the true minus; a dash where there is none.

    >>> number(-0.01234), number(float("nan")), number(120.0), number(0.0)
    ('−0.0123', '–', '120', '0')
    """
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{digits}g}".replace("e+0", "e").replace("e-0", "e-").replace("-", "−")


def interval(low: float, high: float) -> str:
    """An interval in brackets; empty where there is none.

    >>> interval(-0.5, 1.25), interval(float("nan"), 1.0)
    ('[−0.5, 1.25]', '')
    """
    return "" if math.isnan(low) or math.isnan(high) else f"[{number(low)}, {number(high)}]"


def chance(p: float) -> str:
    """A probability.

    >>> chance(0.00001), chance(0.04321), chance(float("nan"))
    ('< 0.001', '0.043', '–')
    """
    return "< 0.001" if p < 0.001 else number(p, 2)


def count(amount: int, one: str, many: str = "") -> str:
    """An amount with its noun.

    >>> count(1, "case"), count(3, "case")
    ('1 case', '3 cases')
    """
    return f"{amount} {one if amount == 1 else many or one + 's'}"


def null_name(name: str) -> str:
    """A null in words."""
    return _NULLS.get(name, name)


def null_label(name: str, *, floor: bool) -> str:
    """A null as a row is called: one to be beaten, or one to compare with."""
    return f"null: {null_name(name)}" if floor else f"reference: {null_name(name)}"


def sentence(text: str) -> str:
    """With a capital and a full stop.

    >>> sentence("1: all; about 0: it does"), sentence("mean of LRP")
    ('1: all; about 0: it does.', 'Mean of LRP.')
    """
    closed = text if text.endswith((".", "?", "!")) or not text else f"{text}."
    return closed[:1].upper() + closed[1:]


def better(direction: str) -> str:
    """Which direction is better, in words."""
    return _BETTER.get(direction, direction)


def arrow(direction: str) -> str:
    """Which direction is better, as a sign."""
    return _ARROWS.get(direction, "")


def kind(name: str) -> str:
    """A kind of likeness in words."""
    return _KINDS.get(name, name)
