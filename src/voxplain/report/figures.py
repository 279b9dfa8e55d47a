"""The figures of one map: three planes, montage, projections; for pictures image, overlay and map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from voxplain.errors import InputError
from voxplain.report.canvas import Drawing, add_bar, canvas, legend_lines, write_head, write_legend
from voxplain.report.caption import legend, place, reading, strength
from voxplain.report.panel import (
    panel_size,
    set_title,
    show,
    show_letters,
    show_outlines,
    show_slice,
    strongest_along,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from voxplain.report.canvas import Size
    from voxplain.report.scene import Scene
    from voxplain.report.view import Plane, View

_WIDTH = 9.6  # inches


def draw_all(scenes: Scene | Sequence[Scene]) -> dict[str, Drawing]:
    """Every figure that suits the scenes: `picture` in 2-D; `planes`, `montage`, `projection` in 3-D."""
    if _several(scenes)[0].view.ndim == 2:
        return {"picture": picture(scenes)}
    if len(_wide(_several(scenes)[0].view)) == 1:
        return {"planes": planes(scenes)}  # a single slice: the other figures would show it again
    return {"planes": planes(scenes), "montage": montage(scenes), "projection": projection(scenes)}


def planes(scenes: Scene | Sequence[Scene], voxel: Sequence[int] | None = None) -> Drawing:
    """Three orthogonal planes with a cross-hair through a voxel, by default the one with the largest |value|.

    Args:
        scenes: one, or one per row, as `voxplain.report.scenes` makes them.
        voxel: index in the original array.

    Raises:
        InputError: the voxel is outside the array, or the array is 2-D.
    """
    rows = _volumes(scenes, "planes")
    view = rows[0].view
    point = view.shown(voxel) if voxel is not None else _strongest(rows)
    what = "voxel" if voxel is not None else "strongest voxel"
    where = f"{what}: {place(rows[0], point)} · {strength(rows, point)}"
    cuts = _wide(view)
    heads = [rows[0].title, where] if rows[0].title else [where]
    figure, axes = _canvas([[panel_size(s, p) for p in cuts] for s in rows], heads, rows)
    for scene, line in zip(rows, axes, strict=True):
        for plane, panel in zip(cuts, line, strict=True):
            show_slice(panel, scene, plane, point[plane.axis], crosshair=point)
            set_title(panel, _slice_title(scene, plane, point[plane.axis]))
    if len(cuts) == 1:
        return Drawing(
            figure, f"The slice; {where}. {reading(rows)}", f"The slice with the map in colour; {where}."
        )
    caption = f"Three planes through the {where}. {reading(rows)}"
    return Drawing(figure, caption, f"Three orthogonal slices with the map in colour; {where}.")


def _wide(view: View) -> tuple[Plane, ...]:
    """The planes that are no strips of one voxel: one for a single slice, else all."""
    wide = tuple(p for p in view.planes() if view.shape[p.rows] > 1 and view.shape[p.columns] > 1)
    return wide or tuple(view.planes())


def montage(
    scenes: Scene | Sequence[Scene],
    *,
    plane: int = 0,
    count: int = 12,
    extent: Literal["map", "prediction"] = "map",
) -> Drawing:
    """A grid of evenly spaced slices over the extent of the map or of the prediction.

    Args:
        scenes: one or several; of several each gets a row of its own.
        plane: 0 axial, 1 coronal, 2 sagittal (without orientation: array axes 2, 1, 0).
        count: largest number of slices.
        extent: "map" takes the slices that hold the central 96 % of the map's summed |value|, and always the
            strongest slice; "prediction" those that hold an outlined label.

    Raises:
        InputError: the array is 2-D, or the prediction is asked for and there is none.
    """
    rows = _volumes(scenes, "montage")
    if count < 1:
        raise InputError(f"montage: count={count}; at least one slice is needed")
    cut = rows[0].view.planes()[plane]
    indices = _slices(rows, cut, count, extent)
    across = len(indices) if len(rows) > 1 else _columns(len(indices), panel_size(rows[0], cut))
    cells = [(scene, index) for scene in rows for index in indices]
    grid = [cells[n : n + across] for n in range(0, len(cells), across)]
    head = f"{cut.name} slices, {len(indices)} of {rows[0].view.shape[cut.axis]}"
    heads = [rows[0].title, head] if rows[0].title else [head]
    figure, axes = _canvas([[panel_size(s, cut) for s, _ in row] for row in grid], heads, rows)
    for row, line in zip(grid, axes, strict=True):
        for (scene, index), panel in zip(row, line, strict=True):
            show_slice(panel, scene, cut, index)
            set_title(panel, _slice_title(scene, cut, index, short=True))
    span = "the prediction" if extent == "prediction" else "96 % of the map's summed |value|"
    caption = f"{head.capitalize()}, over the extent of {span}. {reading(rows)}"
    return Drawing(figure, caption, f"Montage of {head} with the map in colour.")


def projection(scenes: Scene | Sequence[Scene]) -> Drawing:
    """Maximum-intensity projections along the three axes; the strongest value of each ray keeps its sign.

    Outlines are those of the labels' shadows. The background is the mean along each ray.

    Raises:
        InputError: the array is 2-D.
    """
    rows = _volumes(scenes, "projection")
    cuts = rows[0].view.planes()
    heads = (
        [rows[0].title, "maximum-intensity projections"]
        if rows[0].title
        else ["maximum-intensity projections"]
    )
    figure, axes = _canvas([[panel_size(s, p) for p in cuts] for s in rows], heads, rows)
    for scene, line in zip(rows, axes, strict=True):
        for plane, panel in zip(cuts, line, strict=True):
            _project(panel, scene, plane)
            set_title(panel, _named(scene, f"{plane.name} projection"))
    ground = "Background: each mean from its 0.5th to its 99.5th percentile."
    caption = (
        "Projections along three axes: of each ray the value with the largest magnitude, with its sign, "
        f"over the mean of the image. Outlines are shadows of the labels. {reading(rows, ground)}"
    )
    return Drawing(figure, caption, "Projections of the map along three axes.")


def picture(scenes: Scene | Sequence[Scene]) -> Drawing:
    """A 2-D picture three times: as it is, with the map over it, and the map alone; a row per scene.

    Raises:
        InputError: the array is 3-D.
    """
    rows = _several(scenes)
    if rows[0].view.ndim != 2:
        raise InputError("picture: the array has 3 spatial axes; planes, montage or projection show volumes")
    plane = rows[0].view.planes()[0]
    point = _strongest(rows)
    where = f"strongest pixel: {place(rows[0], point)} · {strength(rows, point)}"
    heads = [rows[0].title, where] if rows[0].title else [where]
    figure, axes = _canvas([[panel_size(s, plane)] * 3 for s in rows], heads, rows)
    for scene, line in zip(rows, axes, strict=True):
        show_slice(line[0], scene, plane, 0, coloured=False, outlined=False)
        show_slice(line[1], scene, plane, 0)
        values = plane.cut(scene.values, 0)
        show(line[2], scene, plane, np.full(values.shape, -np.inf), values)
        show_letters(line[2], plane)
        for panel, text in zip(line, ("image", "map over the image", "map"), strict=True):
            set_title(panel, _named(scene, text))
    caption = f"Image, map over the image, and the map alone; {where}. {reading(rows)}"
    return Drawing(figure, caption, f"Picture, overlay and map side by side; {where}.")


def _several(scenes: Scene | Sequence[Scene]) -> list[Scene]:
    from voxplain.report.scene import Scene

    rows = [scenes] if isinstance(scenes, Scene) else list(scenes)
    if not rows:
        raise InputError("figure: no scene; at least one is needed")
    return rows


def _volumes(scenes: Scene | Sequence[Scene], figure: str) -> list[Scene]:
    rows = _several(scenes)
    if rows[0].view.ndim == 2:
        raise InputError(f"{figure}: the array has 2 spatial axes; 'picture' shows pictures")
    return rows


def _strongest(rows: Sequence[Scene]) -> tuple[int, int, int]:
    """The strongest voxel of all rows."""
    best = max(rows, key=lambda scene: float(np.abs(scene.values[scene.strongest])))
    return best.strongest


def _canvas(
    sizes: list[list[Size]], heads: Sequence[str], rows: Sequence[Scene]
) -> tuple[Figure, list[list[Axes]]]:
    entries = legend(rows[0])
    figure, axes = canvas(sizes, _WIDTH, len(heads), legend_lines(entries, _WIDTH))
    write_head(figure, heads)
    write_legend(figure, entries)
    add_bar(figure, axes[0][-1], rows[0])
    return figure, axes


def _slice_title(scene: Scene, plane: Plane, index: int, short: bool = False) -> str:
    """Where a slice is: mm along its axis at its centre, and its index along the original array's axis."""
    view = scene.view
    axis = view.order[plane.axis]
    centre = [(n - 1) / 2 for n in view.shape]
    centre[plane.axis] = float(index)
    number = view.shape[plane.axis] - 1 - index if view.flips[plane.axis] else index
    position = view.position(centre)
    spot = f"{'ijk'[axis]} = {number}"
    if position is None:
        return _named(scene, spot if short else f"{plane.name} · {spot}")
    mm = position[plane.axis]
    text = f"{'RAS'[plane.axis] if mm >= 0 else 'LPI'[plane.axis]} {abs(mm):.1f} mm · {spot}"
    return _named(scene, text if short else f"{plane.name} · {text}")


def _named(scene: Scene, text: str) -> str:
    return f"{scene.row} · {text}" if scene.row else text


def _slices(rows: Sequence[Scene], plane: Plane, count: int, extent: str) -> list[int]:
    """Display indices of a montage, in the order foot to head, back to front, left to right."""
    others = tuple({0, 1, 2} - {plane.axis})
    strength = sum(np.abs(scene.values).sum(axis=others, dtype=np.float64) for scene in rows)
    strength = np.asarray(strength)
    if extent == "prediction":
        present = _label_extent(rows[0], others)
        first, last = int(present.argmax()), len(present) - 1 - int(present[::-1].argmax())
    else:
        share = np.cumsum(strength) / strength.sum()
        first, last = int((share > 0.02).argmax()), int((share >= 0.98).argmax())
    peak = _strongest(rows)[plane.axis]
    if extent == "map":
        first, last = min(first, peak), max(last, peak)
    chosen = np.unique(np.rint(np.linspace(first, last, min(count, last - first + 1))).astype(int))
    if first <= peak <= last:
        chosen[np.abs(chosen - peak).argmin()] = peak
    ordered: list[int] = np.unique(chosen).tolist()
    return ordered[::-1] if rows[0].view.affine is not None else ordered


def _label_extent(scene: Scene, others: tuple[int, ...]) -> NDArray[np.bool_]:
    labels = scene.prediction if scene.prediction is not None else scene.truth
    wanted = [item.label for item in scene.outlined]
    present = None if labels is None else np.isin(labels, wanted).any(axis=others)
    if present is None or not present.any():
        raise InputError(
            "montage: extent='prediction', but no outlined label is in the image; use extent='map'"
        )
    return np.asarray(present)


def _columns(count: int, size: Size) -> int:
    """Columns that make the grid about four by three in physical shape."""
    return max(1, min(count, 6, round(math.sqrt(count * 1.4 * size[1] / size[0]))))


def _project(panel: Axes, scene: Scene, plane: Plane) -> None:
    from dataclasses import replace

    from voxplain.report.colours import window

    ground = plane.turn(scene.background.mean(axis=plane.axis, dtype=np.float64))
    values = plane.turn(strongest_along(scene.values, plane.axis))
    show(panel, replace(scene, window=window(ground)), plane, ground, values)
    for item in scene.outlined:
        shadows = [
            None if labels is None else plane.turn((labels == item.label).any(axis=plane.axis)) * item.label
            for labels in (scene.prediction, scene.truth)
        ]
        show_outlines(panel, replace(scene, outlined=(item,)), shadows[0], shadows[1])
    show_letters(panel, plane)
