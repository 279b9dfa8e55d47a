"""Memory that runs out in the middle of a batch changes no result."""

from __future__ import annotations

import pytest
import torch
from networks import random_case, smooth_segmenter

from voxplain.attribution import method
from voxplain.engine import Problem, layers, terms
from voxplain.engine.stitched import Stitched
from voxplain.model import Model, Windows
from voxplain.target import AllClasses


def problem(score: str) -> Problem:
    model = Model(smooth_segmenter(3), spatial_dims=3, windows=Windows(roi=6, overlap=0.5))
    return Problem(model, random_case((8, 9, 7)), AllClasses(background=True, score=score), batch=4)


def fails_once(function, at: int):
    """The function, out of memory at its ``at``-th call."""
    calls = iter(range(10**9))

    def wrapped(*args, **kwargs):
        if next(calls) == at:
            raise torch.OutOfMemoryError("out of memory (injected)")
        return function(*args, **kwargs)

    return wrapped


@pytest.mark.parametrize("at", [0, 1, 2, 5])
@pytest.mark.parametrize(
    ("name", "score", "owner", "attribute"),
    [
        ("gradient", "logit", terms.WindowTerms, "scores"),
        ("gradient", "logit", terms.WindowTerms, "cotangent"),
        ("gradient", "probability", Stitched, "part"),
        ("occlusion", "logit", terms.WindowTerms, "scores"),
        ("occlusion", "probability", Stitched, "part"),
        ("grad_cam", "logit", layers.LayerView, "_upsample"),
        ("grad_cam", "logit", terms.WindowTerms, "scores"),
        ("hires_cam", "logit", layers.LayerView, "_upsample"),
    ],
)
def test_nothing_is_counted_twice(name, score, owner, attribute, at, monkeypatch):
    chosen = method(name, **({"size": 4} if name == "occlusion" else {}))
    truth = chosen.attribute(problem(score))
    again = problem(score)
    # activations are kept between the steps of a CAM, so its second step would not run in batches
    monkeypatch.setattr(layers, "KEPT_BYTES", 0)
    monkeypatch.setattr(owner, attribute, fails_once(getattr(owner, attribute), at))
    found = chosen.attribute(again)
    for t in range(3):
        torch.testing.assert_close(found.values(t), truth.values(t), rtol=1e-5, atol=1e-7)
        assert found.answers[t].score == pytest.approx(truth.answers[t].score, rel=1e-6)
