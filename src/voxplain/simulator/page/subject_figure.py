"""One subject: before, after, what differs; the grid that its tissue carries, and how volumes change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxplain.report import Drawing, Scene
from voxplain.report.canvas import add_bar, canvas, legend_lines, signed, write_head, write_legend
from voxplain.report.caption import legend
from voxplain.report.panel import panel_size, set_title, show_slice
from voxplain.simulator.page.scenery import draw_grid, scene, where, widest

if TYPE_CHECKING:
    from voxplain.case import Geometry
    from voxplain.simulator.running.home import Floats

_WIDTH = 9.6  # inches


def subject_figure(
    maps: Mapping[str, Floats],
    geometry: Geometry | None,
    labels: NDArray[Any] | None,
    names: Mapping[int, str],
    *,
    title: str,
) -> Drawing:
    """Before, after and difference; below, unless volumes are withheld, warp grid, log-Jacobian and regions.

    Of a volume the slice is shown in which volumes change most.

    Args:
        maps: on the case's grid: before, after, difference (C, *S); log_jacobian (*S) and motion (D, *S).
        geometry: of the grid.
        labels, names: of an atlas, outlined.
        title: above the figure.
    """
    differs = scene(maps["before"], maps["difference"][0], geometry, "difference")
    volumes = None
    if "log_jacobian" in maps:
        volumes = scene(
            maps["before"], maps["log_jacobian"], geometry, "log-Jacobian", labels=labels, names=names
        )
    plane, index = widest(volumes or differs)
    entries = legend(volumes) if volumes else []
    size = panel_size(differs, plane)
    figure, axes = canvas([[size] * 3] * (2 if volumes else 1), _WIDTH, 1, legend_lines(entries, _WIDTH))
    write_head(figure, [title])
    write_legend(figure, entries)
    after = replace(differs, background=differs.view.display(maps["after"][0]))
    drawn = (
        (differs, "before", False, True),
        (after, "after", False, False),
        (differs, "after − before", True, False),
    )
    for panel, (shown, name, coloured, letters) in zip(axes[0], drawn, strict=True):
        show_slice(panel, shown, plane, index, coloured=coloured, outlined=False, letters=letters)
        set_title(panel, name)
    add_bar(figure, axes[0][0], differs)
    if volumes is not None:
        _volumes(axes[1], volumes, plane, index, maps["motion"], labels is not None)
        add_bar(figure, axes[1][0], volumes)
    caption = (
        "What the classifier sees before and after at the calibrated dose, at one grey scale, and the difference."
        + (_VOLUMES if volumes else "")
        + where(differs, plane, index)
    )
    return Drawing(figure, caption, f"{title}: before, after, difference, warp grid, log-Jacobian.")


_VOLUMES = (
    " Below: a regular grid as the tissue carries it, over the image before; the logarithm of the volume change (red grows, "
    "blue shrinks, ±0.1 is about a tenth)."
)


def _volumes(
    axes: Sequence[Any], volumes: Scene, plane: Any, index: int, motion: Floats, has_atlas: bool
) -> None:
    show_slice(axes[0], volumes, plane, index, coloured=False, outlined=False, letters=False)
    draw_grid(axes[0], volumes.view, plane, index, motion)
    set_title(axes[0], "warp grid")
    show_slice(axes[1], volumes, plane, index, outlined=False, letters=False)
    set_title(axes[1], "log-Jacobian")
    show_slice(axes[2], volumes, plane, index, letters=False, coloured=has_atlas)
    set_title(axes[2], "log-Jacobian, regions" if has_atlas else "image")


def frames_figure(
    frames: Floats,
    doses: Sequence[float],
    scores: Sequence[float],
    maps: Mapping[str, Floats],
    geometry: Geometry | None,
    dose: float,
    diseased: str = "diseased",
) -> Drawing:
    """The way from the image to the other decision, frame by frame, with dose and logit.

    Args:
        frames: (F, *S) on the case's grid.
        doses, scores: of each.
        maps: as of `subject_figure`; they choose the slice.
        geometry: of the grid.
        dose: the calibrated one, which is marked.
        diseased: what the class above 0 is called.
    """
    strongest = maps.get("log_jacobian", maps["difference"][0])
    base = scene(maps["before"], strongest, geometry, "")
    plane, index = widest(base)
    figure, (axes,) = canvas([[panel_size(base, plane)] * len(frames)], _WIDTH + 0.8, 1, 0)
    for panel, frame, d, score in zip(axes, frames, doses, scores, strict=True):
        shown = replace(base, background=base.view.display(frame))
        show_slice(panel, shown, plane, index, coloured=False, outlined=False, letters=False)
        mark = "▸ " if np.isclose(d, dose) and d > 0 else ""
        set_title(panel, f"{mark}dose {d:.2f}\nlogit {signed(score)}")
    caption = f"Frames at growing doses; above 0 the decision is {diseased}. ▸ marks the calibrated dose."
    return Drawing(figure, caption, f"{len(frames)} frames of the image at growing doses, with their logits.")
