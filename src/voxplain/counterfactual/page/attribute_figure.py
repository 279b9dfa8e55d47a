"""What one coordinate of the family changes: the mean image with less of it, as it is, and with more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from voxplain.counterfactual.page.scenery import Floats, scene, where, widest
from voxplain.report import Drawing
from voxplain.report.canvas import add_bar, canvas, write_head
from voxplain.report.panel import panel_size, set_title, show_slice

if TYPE_CHECKING:
    from voxplain.case import Geometry

_WIDTH = 9.6  # inches


def attribute_figure(
    less: Floats, mean: Floats, more: Floats, geometry: Geometry | None, title: str, above: str
) -> Drawing:
    """Three images at one grey scale, and what differs between the ends.

    Args:
        less, mean, more: (C, *S), on the grid of one of the images.
        geometry: of that grid.
        title: which coordinate.
        above: the decision towards which it is moved from left to right.
    """
    base = scene(mean, np.ascontiguousarray(more[0] - less[0]), geometry, "difference")
    plane, index = widest(base)
    ends = [replace(base, background=base.view.display(x[0])) for x in (less, more)]
    drawn = [
        (ends[0], "less", False),
        (base, "mean image", False),
        (ends[1], f"more, towards {above}", False),
    ]
    figure, (axes,) = canvas([[panel_size(base, plane)] * 4], _WIDTH, 1, 0)
    write_head(figure, [title])
    for n, (panel, (shown, name, coloured)) in enumerate(
        zip(axes, [*drawn, (base, "more − less", True)], strict=True)
    ):
        show_slice(panel, shown, plane, index, coloured=coloured, outlined=False, letters=n == 0)
        set_title(panel, name)
    add_bar(figure, axes[0], base)
    caption = f"The mean image, moved along one coordinate; red is brighter, blue darker.{where(base, plane, index)}"
    return Drawing(figure, caption, f"{title}: less, mean, more, difference.")
