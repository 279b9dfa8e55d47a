"""What all figures of simulators share: arrays turned for display, one slice, a grid that moves with the tissue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxplain.report import Plane, Scene, View, scenes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from voxplain.case import Geometry
    from voxplain.simulator.running.home import Floats

_LINES = 16  # of the grid, across the longer side of the picture
_COLOUR = "#4fe3ff"


def scene(
    image: Floats,
    values: Floats,
    geometry: Geometry | None,
    unit: str,
    *,
    labels: NDArray[Any] | None = None,
    names: Mapping[int, str] | None = None,
) -> Scene:
    """One map over one image.

    Args:
        image: (C, *S); the first channel is shown.
        values: (*S), signed.
        geometry: of the grid.
        unit: of the map.
        labels, names: outlined.
    """
    # a map of zeros has no colour range
    flat = values if np.any(values) else np.full_like(values, 1e-12)
    (made,) = scenes(
        image[:1], flat, geometry=geometry, prediction=labels, names=names or {}, unit=unit, spatial_dims=values.ndim
    )  # fmt: skip
    return made


def widest(shown: Scene) -> tuple[Plane, int]:
    """The first plane that is no strip, and its slice in which the map is strongest."""
    shape = shown.view.shape
    planes = shown.view.planes()
    plane = next((p for p in planes if min(shape[p.rows], shape[p.columns]) > 1), planes[0])
    others = tuple({0, 1, 2} - {plane.axis})
    return plane, int(np.abs(shown.values).sum(axis=others).argmax())


def where(shown: Scene, plane: Plane, index: int) -> str:
    """Which slice of a volume is shown, in a sentence; nothing where there is one only."""
    return "" if shown.view.shape[plane.axis] == 1 else f" Slice {index} of the {plane.name} plane."


def draw_grid(axes: Axes, view: View, plane: Plane, index: int, motion: Floats) -> None:
    """A regular grid after the motion of the tissue, as far as it lies within the plane.

    Args:
        axes: with the picture.
        view: how arrays are turned.
        plane, index: the slice.
        motion: (D, *S) of the forward map, in voxels.
    """
    down, right = (_component(view, plane, index, motion, axis) for axis in (plane.rows, plane.columns))
    rows, columns = np.mgrid[: down.shape[0], : down.shape[1]]
    y, x = rows + down, columns + right
    step = max(1, round(max(down.shape) / _LINES))
    style: dict[str, Any] = {"color": _COLOUR, "lw": 0.7, "alpha": 0.9}
    for n in range(step // 2, down.shape[0], step):
        axes.plot(x[n], y[n], **style)
    for n in range(step // 2, down.shape[1], step):
        axes.plot(x[:, n], y[:, n], **style)
    axes.set_xlim(-0.5, down.shape[1] - 0.5)
    axes.set_ylim(down.shape[0] - 0.5, -0.5)


def _component(view: View, plane: Plane, index: int, motion: Floats, shown: int) -> NDArray[Any]:
    """(rows, columns) of the motion along a display axis."""
    axis = view.order[shown]
    if axis >= len(motion):
        return np.zeros_like(plane.cut(view.display(motion[0]), index))
    values = plane.cut(view.display(motion[axis]), index)
    return -values if view.flips[shown] else values
