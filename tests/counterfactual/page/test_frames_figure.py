"""What stands below a series."""

from __future__ import annotations

import numpy as np

from voxplain.counterfactual.page.frames_figure import frames_figure
from voxplain.counterfactual.page.scenery import scene


def test_frames_name_the_class_as_the_classifier_does():
    image = np.random.default_rng(0).random((3, 8, 8)).astype(np.float32)
    base = scene(image[:1], image[1], None, "")
    drawn = frames_figure(image, [0.0, 0.5, 1.0], [-1.0, 0.0, 1.0], base, 1.0, "patient")
    assert "above 0 the decision is patient" in drawn.caption
