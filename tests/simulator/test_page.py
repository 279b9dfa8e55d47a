"""Words of the page."""

from __future__ import annotations

import numpy as np

from voxplain.simulator.page.subject_figure import frames_figure


def test_frames_name_the_class_as_the_classifier_does():
    image = np.random.default_rng(0).random((3, 8, 8)).astype(np.float32)
    maps = {"before": image[:1], "difference": image[1:2]}
    drawn = frames_figure(image, [0.0, 0.5, 1.0], [-1.0, 0.0, 1.0], maps, None, 1.0, "patient")
    assert "above 0 the decision is patient." in drawn.caption
