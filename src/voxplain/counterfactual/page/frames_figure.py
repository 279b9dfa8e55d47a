"""The way from an image to the other decision, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from voxplain.counterfactual.page.scenery import Floats, widest
from voxplain.report import Drawing, Scene
from voxplain.report.canvas import canvas, signed
from voxplain.report.panel import panel_size, set_title, show_slice

_WIDTH = 10.4  # inches


def frames_figure(
    frames: Floats,
    doses: Sequence[float],
    scores: Sequence[float],
    base: Scene,
    dose: float,
    above: str = "diseased",
) -> Drawing:
    """The way from the image to the other decision, frame by frame, with dose and logit.

    Args:
        frames: (F, *S) on the case's grid.
        doses, scores: of each.
        base: a map over the image; of a volume it chooses the slice.
        dose: the calibrated one, which is marked.
        above: the decision above 0.
    """
    plane, index = widest(base)
    figure, (axes,) = canvas([[panel_size(base, plane)] * len(frames)], _WIDTH, 1, 0)
    for panel, frame, d, score in zip(axes, frames, doses, scores, strict=True):
        shown = replace(base, background=base.view.display(frame))
        show_slice(panel, shown, plane, index, coloured=False, outlined=False, letters=False)
        mark = "▸ " if np.isclose(d, dose) and d > 0 else ""
        set_title(panel, f"{mark}dose {d:.2f}\nlogit {signed(score)}")
    caption = f"Frames at growing doses; above 0 the decision is {above}. ▸ marks the calibrated dose."
    return Drawing(figure, caption, f"{len(frames)} frames of the image at growing doses, with their logits.")
