"""A grid that moves with the tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxplain.report import Plane, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from voxplain.simulator.running.home import Floats

_LINES = 16  # of the grid, across the longer side of the picture
_COLOUR = "#4fe3ff"


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
