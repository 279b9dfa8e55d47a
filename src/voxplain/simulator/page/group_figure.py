"""What subjects have in common: mean image, mean log-Jacobian, and where it is significant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxplain.counterfactual.page.scenery import scene, where, widest
from voxplain.report import Drawing
from voxplain.report.canvas import add_bar, canvas, legend_lines, write_head, write_legend
from voxplain.report.caption import legend
from voxplain.report.panel import panel_size, set_title, show_slice

if TYPE_CHECKING:
    from voxplain.case import Geometry
    from voxplain.simulator.running.home import Floats

_WIDTH = 9.6  # inches
_BY = {1: "p for any false alarm", 2: "q as a share of false alarms"}


def group_figure(
    image: Floats,
    mean: Floats,
    found: NDArray[np.bool_],
    discovered: NDArray[np.bool_],
    geometry: Geometry | None,
    *,
    title: str,
    level: float,
) -> Drawing:
    """Three panels of the slice in which the mean is strongest.

    Args:
        image: (1, *S) mean over subjects.
        mean: (*S) log-Jacobian, or its difference.
        found: (*S) significant after correction for any false alarm.
        discovered: (*S) after correction for their share.
        geometry: of the grid.
        title: above the figure.
        level: of both corrections.
    """
    labels: NDArray[Any] = found.astype(np.int32)
    base = scene(image, mean, geometry, "log-Jacobian", labels=labels, names=_BY)
    share = scene(image, mean, geometry, "log-Jacobian", labels=2 * discovered.astype(np.int32), names=_BY)
    plane, index = widest(base)
    entries = [(f"{_BY[1]} ≤ {level:g}", legend(base)[0][1], False)] if found.any() else []
    entries += [(f"{_BY[2]} ≤ {level:g}", legend(share)[0][1], False)] if discovered.any() else []
    figure, axes = canvas([[panel_size(base, plane)] * 3], _WIDTH, 1, legend_lines(entries, _WIDTH))
    write_head(figure, [title])
    write_legend(figure, entries)
    show_slice(axes[0][0], base, plane, index, outlined=False)
    set_title(axes[0][0], "mean log-Jacobian")
    show_slice(axes[0][1], base, plane, index, letters=False)
    set_title(axes[0][1], "p for any false alarm" if found.any() else "nothing by p for any false alarm")
    show_slice(axes[0][2], share, plane, index, letters=False)
    set_title(axes[0][2], "q (false alarms' share)" if discovered.any() else "nothing by q")
    add_bar(figure, axes[0][0], base)
    caption = (
        f"Mean over subjects over their mean image: red grows, blue shrinks. Outlined: {int(found.sum())} and "
        f"{int(discovered.sum())} of {found.size} voxels, by permutation.{where(base, plane, index)}"
    )
    return Drawing(figure, caption, f"{title}: mean log-Jacobian, significant voxels outlined.")
