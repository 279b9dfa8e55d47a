"""One image, the evidence for each class, and the mask: side by side at one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxplain.report import Drawing, Plane, Scene, scenes
from voxplain.report.canvas import add_bar, canvas, legend_lines, write_head, write_legend
from voxplain.report.caption import legend
from voxplain.report.panel import panel_size, set_title, show_slice

if TYPE_CHECKING:
    from voxplain.inherent.maps import Bools, Floats
    from voxplain.inherent.running.case_files import Grid

_WIDTH = 10.5  # inches


def case_figure(
    image: Floats,
    evidence: Floats,
    classes: Sequence[str],
    grid: Grid,
    *,
    mask: Bools | None,
    truth: Bools | None,
    title: str,
) -> Drawing:
    """The image, each class's evidence over it, and the mask with the truth where it is known.

    Of a volume the slice that holds most of the mask (or of the truth, or the strongest evidence) is shown.

    Args:
        image: (C, *S); the first channel is shown.
        evidence: (K, *S) in units of the logit; all classes share one colour range.
        classes: K names.
        grid: where the image lies.
        mask, truth: (*S), outlined; None where there is none.
        title: above the figure.
    """
    drawn = _scenes(image, evidence, grid, mask, truth, title)
    plane, index = _plane(drawn, mask, truth, grid)
    last = replace(drawn[0], truth=drawn[0].truth)
    figure, axes = canvas(
        [[panel_size(drawn[0], plane)] * (len(drawn) + 2)],
        _WIDTH,
        1,
        legend_lines(legend(last), _WIDTH),
    )
    write_head(figure, [title])
    write_legend(figure, legend(last))
    show_slice(axes[0][0], drawn[0], plane, index, coloured=False, outlined=False)
    set_title(axes[0][0], "image")
    for panel, scene, name in zip(axes[0][1:-1], drawn, classes, strict=True):
        show_slice(panel, scene, plane, index, outlined=False, letters=False)
        set_title(panel, f"evidence: {name}")
    show_slice(axes[0][-1], last, plane, index, coloured=False, letters=False)
    set_title(axes[0][-1], "mask" if truth is None else "mask and truth")
    add_bar(figure, axes[0][0], drawn[0])
    where = (
        ""
        if drawn[0].view.ndim == 2 or grid.squeezed is not None
        else f" Slice {index} of the {plane.name} plane."
    )
    caption = f"Red speaks for the class, blue against it, in units of the logit.{where}"
    return Drawing(figure, caption, f"{title}: image, evidence per class, mask.")


def _scenes(
    image: Floats, evidence: Floats, grid: Grid, mask: Bools | None, truth: Bools | None, title: str
) -> tuple[Scene, ...]:
    def placed(array: NDArray[Any]) -> NDArray[Any]:
        return array.reshape(
            *array.shape[: array.ndim - (len(grid.shape) - (grid.squeezed is not None))], *grid.shape
        )

    outlined = None if mask is None else placed(mask).astype(np.int32)
    known = None if truth is None else placed(truth).astype(np.int32)
    flat = evidence if evidence.any() else np.full_like(evidence, 1e-12)  # a map of zeros has no colour range
    return scenes(
        placed(image[:1]),
        placed(flat),
        geometry=grid.geometry,
        prediction=outlined,
        truth=known,
        names={1: "mask"},
        outlined=[1] if outlined is not None or known is not None else None,
        channels="each",
        unit="evidence",
        title=title,
        spatial_dims=len(grid.shape),
    )


def _plane(
    drawn: tuple[Scene, ...], mask: Bools | None, truth: Bools | None, grid: Grid
) -> tuple[Plane, int]:
    scene = drawn[0]
    planes = [
        p for p in scene.view.planes() if min(scene.view.shape[p.rows], scene.view.shape[p.columns]) > 1
    ]
    plane = planes[0]
    others = tuple({0, 1, 2} - {plane.axis})
    for labels in (scene.prediction, scene.truth):
        if labels is not None and labels.any():
            return plane, int((labels > 0).sum(axis=others).argmax())
    return plane, int(max(drawn, key=lambda s: float(np.abs(s.values).max())).strongest[plane.axis])
