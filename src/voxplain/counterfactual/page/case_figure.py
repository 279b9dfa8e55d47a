"""One image: before, the generator's copy of it, after, and what differs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from voxplain.counterfactual.page.scenery import Floats, scene, where, widest
from voxplain.report import Drawing, Scene
from voxplain.report.canvas import add_bar, canvas, write_head
from voxplain.report.panel import panel_size, set_title, show_slice

if TYPE_CHECKING:
    from voxplain.case import Geometry

_WIDTH = 9.6  # inches


def case_scene(before: Floats, after: Floats, geometry: Geometry | None) -> Scene:
    """The difference over the image; arrays (C, *S) on the case's grid."""
    return scene(before, np.ascontiguousarray(after[0] - before[0]), geometry, "difference")


def case_figure(base: Scene, copy: Floats, after: Floats, title: str, *, withheld: bool) -> Drawing:
    """Four panels at one grey scale, of which the last is left out where the difference is withheld.

    Args:
        base: of `case_scene`.
        copy, after: (C, *S) on the case's grid.
        title: above the figure.
        withheld: whether the difference must not be shown.
    """
    plane, index = widest(base)
    copied, changed = (replace(base, background=base.view.display(x[0])) for x in (copy, after))
    drawn = [(base, "before", False), (copied, "generator’s copy", False), (changed, "after", False)]
    drawn += [] if withheld else [(base, "after − before", True)]
    figure, (axes,) = canvas([[panel_size(base, plane)] * len(drawn)], _WIDTH, 1, 0)
    write_head(figure, [title])
    for n, (panel, (shown, name, coloured)) in enumerate(zip(axes, drawn, strict=True)):
        show_slice(panel, shown, plane, index, coloured=coloured, outlined=False, letters=n == 0)
        set_title(panel, name)
    if not withheld:
        add_bar(figure, axes[0], base)
    caption = (
        "What the classifier sees before and after at the calibrated dose, and how much of the image the generator can copy"
        + ("; the difference is withheld." if withheld else "; red became brighter, blue darker.")
        + where(base, plane, index)
    )
    return Drawing(figure, caption, f"{title}: before, copy, after, difference.")


def mean_figure(image: Floats, mean: Floats, geometry: Geometry | None, title: str, count: int) -> Drawing:
    """The mean difference of several images over their mean.

    Args:
        image, mean: (C, *S), on the grid of one of the images.
        geometry: of that grid.
        title: which way.
        count: of images.
    """
    base = scene(image, np.ascontiguousarray(mean[0]), geometry, "mean difference")
    plane, index = widest(base)
    figure, (axes,) = canvas([[panel_size(base, plane)] * 2], _WIDTH / 2, 1, 0)
    write_head(figure, [title])
    for panel, coloured, name in zip(axes, (False, True), ("mean image", "mean after − before"), strict=True):
        show_slice(panel, base, plane, index, coloured=coloured, outlined=False, letters=not coloured)
        set_title(panel, name)
    add_bar(figure, axes[0], base)
    caption = (
        f"Mean over {count} images whose difference is not withheld and that reach their target: red becomes brighter, blue "
        f"darker.{where(base, plane, index)}"
    )
    return Drawing(figure, caption, f"{title}: mean image and mean difference.")
