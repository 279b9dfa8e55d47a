"""Rows of a figure whose truth is known."""

from __future__ import annotations

import numpy as np
from report.viewer.volumes import SHAPE, marked, reoriented

from voxplain.report.figure import FigureRow


def marked_row(axes: str, affine: np.ndarray | None = None) -> FigureRow:
    """A volume with a light in its left, anterior, superior corner, as a file of these axes has it, and the map too."""
    given = {} if affine is None else {"affine": affine}
    image, geometry = reoriented(marked(), axes, **given)
    ramp = np.zeros(SHAPE, np.float32)
    ramp[0, -1, -1], ramp[-1, 0, 0] = 4.0, -4.0
    turned = reoriented(ramp, axes, **given)[0]
    return FigureRow(axes, image, {"map": turned}, geometry, units={"map": "units"})
