"""What is written on the pictures: directions of the patient, a scale bar, where a slice lies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from voxplain.report.figure.style import Style
from voxplain.report.figure.words import length as length_of
from voxplain.report.panel import panel_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from voxplain.report.scene import Scene
    from voxplain.report.view import Plane

# A dark patch, since text with an outline would be stored as shapes and could not be edited.
_PATCH = {"facecolor": "black", "alpha": 0.45, "linewidth": 0, "pad": 0.6}
_LIGHT = "#ffffff"
_LARGEST = 0.3  # share of the picture's width that a scale bar may take


def mark_letters(axes: Axes, plane: Plane, style: Style) -> None:
    """The patient's directions at the picture's edges; nothing where none is known."""
    if plane.letters is None:
        return
    places = ((0.02, 0.5, "left", "center"), (0.98, 0.5, "right", "center"),
              (0.5, 0.98, "center", "top"), (0.5, 0.02, "center", "bottom"))  # fmt: skip
    for letter, (x, y, ha, va) in zip(plane.letters, places, strict=True):
        _write(axes, x, y, letter, style, ha=ha, va=va)


def mark_length(axes: Axes, scene: Scene, plane: Plane, style: Style, size: tuple[float, float]) -> None:
    """A bar of a round length in mm at the lower right; nothing where spacing is not known.

    Args:
        size: width and height of the picture on paper, in mm.
    """
    if scene.view.affine is None:
        return
    across, _ = panel_size(scene, plane)
    spacing = scene.view.spacing[plane.columns]
    length = round_length(_LARGEST * across)
    columns = scene.view.shape[plane.columns]
    rows = scene.view.shape[plane.rows]
    right, bottom = 0.96 * columns - 0.5, 0.95 * rows - 0.5
    start = right - length / spacing
    for colour, thick in (("black", 2.6), (_LIGHT, 1.3)):
        axes.plot([start, right], [bottom, bottom], color=colour, lw=thick, solid_capstyle="butt")
    text = f"{length:g} mm"
    if length_of(text, style.small) < 0.45 * size[0]:
        x = (start + right) / 2 / columns + 0.5 / columns
        _write(axes, min(x, 0.97), 0.05 + 0.9 / size[1], text, style, ha="center", va="bottom")


def round_length(most: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not longer.

    >>> round_length(63.0), round_length(4.99), round_length(0.2)
    (50.0, 2.0, 0.2)
    """
    power: float = 10.0 ** math.floor(math.log10(most) + 1e-9)
    return max(n * power for n in (1, 2, 5) if n * power <= most * (1 + 1e-9))


def position(scene: Scene, plane: Plane, index: int) -> str:
    """Where a slice lies, in mm along its axis at its centre; nothing of a picture."""
    view = scene.view
    if view.ndim == 2:
        return ""
    if view.affine is None:
        axis = view.order[plane.axis]
        return f"{plane.name}, {'ijk'[axis]} = {index}"
    centre = [(n - 1) / 2 for n in view.shape]
    centre[plane.axis] = float(index)
    found = view.position(centre)
    assert found is not None
    mm = float(found[plane.axis])
    return f"{plane.name}, {'RAS'[plane.axis] if mm >= 0 else 'LPI'[plane.axis]} {abs(mm):.1f} mm"


def _write(axes: Axes, x: float, y: float, text: str, style: Style, **how: Any) -> None:
    axes.text(
        x, y, text, transform=axes.transAxes, color=_LIGHT, fontsize=style.small, bbox=_PATCH, parse_math=False, **how
    )  # fmt: skip
