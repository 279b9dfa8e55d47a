"""Series whose truth is known, and a page that holds nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from report.viewer.volumes import AFFINE, SHAPE, marked, reoriented

from voxplain.report.series import Moving, ShownLayer, ShownMask, ShownSeries, ShownStep, moving
from voxplain.report.templating import templates
from voxplain.report.viewer import ShownLabels

DOSES, SCORES = (0.0, 0.5, 1.0), (-2.0, 0.0, 3.0)
PAGE = """{% import "series.html.j2" as moving %}<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>t</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'
{{- moving.policy(series) }}">
<style>{% include "page.css" %}{{ series.built.style | safe }}</style></head><body>
{% for n in range(count) %}{{ moving.place(series, n, "Series") }}<p class="vx-still">still</p>{% endfor %}
{{ moving.data(series) }}</body></html>"""


def series(axes: str = "RAS", name: str = "case", affine: np.ndarray = AFFINE) -> ShownSeries:
    """A light in the left, anterior, superior corner that grows with the dose, and tissue that moves to the right."""
    image, geometry = reoriented(0 * marked(), axes, affine)
    frames = np.stack([reoriented(dose * marked(), axes, affine)[0] for dose in DOSES])
    ramp = reoriented(np.linspace(-1, 1, image.size, dtype=np.float32).reshape(SHAPE), axes, affine)[0]
    labels = np.zeros(SHAPE, np.int32)
    labels[2:4, 3:6, 2:5] = 1
    layers = (
        ShownLayer("difference", frames, unit="image units"),
        ShownLayer("ramp", ramp[None], unit="units", mask=ShownMask(0.5, "Ramp")),
        ShownLayer(
            "warp grid", np.stack([motion(axes, dose) for dose in DOSES]), "grid", missing=((2, "It folds."),)
        ),
    )
    steps = tuple(ShownStep(d, s, d == 1.0) for d, s in zip(DOSES, SCORES, strict=True))
    found = (ShownLabels("regions", reoriented(labels, axes, affine)[0], {1: "organ"}),)
    return ShownSeries(
        name, image, steps, frames, layers, geometry, ("well", "ill"), 3.0, "image units", found
    )


def motion(axes: str, dose: float) -> np.ndarray:
    """(3, *spatial) voxels of a file with these axes: one voxel towards the patient's right per unit of dose."""
    out = np.zeros((3, *reoriented(marked(), axes)[0].shape), np.float32)
    for n, letter in enumerate(axes):
        if letter in "RL":
            out[n] = dose if letter == "R" else -dose
    return out


def written(folder: Path, shown: Sequence[ShownSeries]) -> Path:
    """A page of series."""
    made: Moving = moving([partial(lambda s: s, s) for s in shown])
    text = templates("voxplain.report").from_string(PAGE).render(series=made, count=len(shown))
    path = folder / "series.html"
    path.write_text(text, encoding="utf-8")
    return path
