"""One picture in one panel: background, coloured map, outlines, cross-hair, orientation letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxplain.report.colours import FAINT, INK, overlay, shade
from voxplain.report.outline import outline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from voxplain.report.canvas import Size
    from voxplain.report.scene import Scene
    from voxplain.report.view import Plane

_HAIR = "#f5f5f5"


def panel_size(scene: Scene, plane: Plane) -> Size:
    """Width and height of a plane's pictures in mm."""
    shape, spacing = scene.view.shape, scene.view.spacing
    return shape[plane.columns] * spacing[plane.columns], shape[plane.rows] * spacing[plane.rows]


def show(axes: Axes, scene: Scene, plane: Plane, ground: NDArray[Any], values: NDArray[Any] | None) -> None:
    """Draw a background picture in file units and, over it, a map picture (rows, columns)."""
    spacing = scene.view.spacing
    aspect = spacing[plane.rows] / spacing[plane.columns]
    axes.imshow(shade(ground, scene.window), aspect=aspect, interpolation="antialiased", origin="upper")
    if values is not None:
        axes.imshow(
            overlay(values, scene.scale.limit), aspect=aspect, interpolation="antialiased", origin="upper"
        )
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)


def show_outlines(
    axes: Axes, scene: Scene, prediction: NDArray[Any] | None, truth: NDArray[Any] | None
) -> None:
    """Outline the scene's labels: the prediction solid, the ground truth white and dashed."""
    from matplotlib.collections import LineCollection
    from matplotlib.patheffects import withStroke

    for item in scene.outlined:
        if prediction is not None:
            axes.add_collection(LineCollection(outline(prediction == item.label), colors=item.colour, lw=0.9))
        if truth is not None:
            dashes = (0.0, (2.2, 1.6))
            lines = outline(truth == item.label)
            drawn = LineCollection(lines, colors="#ffffff", lw=0.9, linestyles=[dashes])
            # white alone is not seen on bright lesions
            drawn.set_path_effects([withStroke(linewidth=2.4, foreground="black")])
            axes.add_collection(drawn)


def show_slice(
    axes: Axes,
    scene: Scene,
    plane: Plane,
    index: int,
    *,
    crosshair: tuple[int, int, int] | None = None,
    letters: bool = True,
    coloured: bool = True,
    outlined: bool = True,
) -> None:
    """Draw slice `index` of a plane with everything on it."""
    values = plane.cut(scene.values, index) if coloured else None
    show(axes, scene, plane, plane.cut(scene.background, index), values)
    if outlined:
        prediction = None if scene.prediction is None else plane.cut(scene.prediction, index)
        truth = None if scene.truth is None else plane.cut(scene.truth, index)
        show_outlines(axes, scene, prediction, truth)
    if crosshair is not None:
        _cross(axes, crosshair[plane.columns], crosshair[plane.rows])
    if letters:
        show_letters(axes, plane)


def show_letters(axes: Axes, plane: Plane, size: float = 9.0) -> None:
    """Letters of the patient's directions on the picture's edges; nothing where none is known."""
    if plane.letters is None:
        return
    from matplotlib.patheffects import withStroke

    places = (
        (0.02, 0.5, "left", "center"),
        (0.975, 0.5, "right", "center"),
        (0.5, 0.98, "center", "top"),
        (0.5, 0.02, "center", "bottom"),
    )
    for letter, (x, y, ha, va) in zip(plane.letters, places, strict=True):
        text = axes.text(x, y, letter, transform=axes.transAxes, color=INK, fontsize=size, ha=ha, va=va)
        text.set_path_effects([withStroke(linewidth=2.2, foreground="black")])


def set_title(axes: Axes, text: str) -> None:
    """A small title above a panel."""
    axes.set_title(text, color=FAINT, fontsize=8, pad=3, parse_math=False)


def _cross(axes: Axes, x: float, y: float) -> None:
    """Lines through a voxel that leave a gap around it, so that they do not cover what they point at."""
    left, right = axes.get_xlim()
    bottom, top = sorted(axes.get_ylim())
    gap = max(2.0, 0.03 * (right - left)), max(2.0, 0.03 * (top - bottom))
    style: dict[str, Any] = {"color": _HAIR, "lw": 0.7, "alpha": 0.8}
    for start, end in ((left, x - gap[0]), (x + gap[0], right)):
        if start < end:
            axes.plot([start, end], [y, y], **style)
    for start, end in ((bottom, y - gap[1]), (y + gap[1], top)):
        if start < end:
            axes.plot([x, x], [start, end], **style)


def strongest_along(values: NDArray[Any], axis: int) -> NDArray[Any]:
    """Signed maximum-intensity projection: of each ray the value with the largest magnitude.

    Where a positive and a negative value are equally large, the positive one is kept.

    >>> strongest_along(np.array([[1.0, -3.0], [2.0, -2.0]]), axis=1).tolist()
    [-3.0, 2.0]
    """
    high, low = values.max(axis=axis), values.min(axis=axis)
    signed: NDArray[Any] = np.where(high >= -low, high, low)
    return signed
