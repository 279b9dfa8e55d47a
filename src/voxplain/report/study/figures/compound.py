"""Many shapes as one, so that a figure of fifty methods stays a small file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import PathPatch

Point = tuple[float, float]


def segments(axes: Axes, lines: Iterable[Sequence[Point]], name: str, **how: Any) -> PathPatch | None:
    """Open lines."""
    return _added(axes, lines, False, name, fill=False, **how)


def shapes(axes: Axes, outlines: Iterable[Sequence[Point]], name: str, **how: Any) -> PathPatch | None:
    """Closed, filled outlines."""
    return _added(axes, outlines, True, name, **how)


def box(left: float, right: float, low: float, high: float) -> list[Point]:
    """A rectangle."""
    return [(left, low), (right, low), (right, high), (left, high)]


def _added(
    axes: Axes, parts: Iterable[Sequence[Point]], closed: bool, name: str, **how: Any
) -> PathPatch | None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    points: list[Point] = []
    codes: list[Any] = []
    for part in parts:
        points += [*part, part[0]] if closed else list(part)
        codes += [Path.MOVETO] + [Path.LINETO] * (len(part) - 1) + [Path.CLOSEPOLY] * closed
    if not points:
        return None
    patch = PathPatch(Path(points, codes), gid=name, **how)
    axes.add_patch(patch)
    return patch
