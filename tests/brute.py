"""Brute force: whole images through MONAI's sliding-window inference, and the scores of its output."""

from __future__ import annotations

import pytest
import torch
from networks import random_case, smooth_segmenter
from stitched import scores, stitched
from torch import Tensor

from voxplain.engine import Problem
from voxplain.model import Model, Windows
from voxplain.target import AllClasses

LAYOUTS = [
    pytest.param((9, 11), Windows(roi=6, overlap=0.5), id="2d-constant"),
    pytest.param((10, 13), Windows(roi=(6, 8), overlap=0.25, blend="gaussian"), id="2d-gaussian"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="reflect"), id="2d-reflect"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="circular"), id="2d-circular"),
    pytest.param(
        (5, 9, 8), Windows(roi=8, overlap=0.25, blend="gaussian", padding_value=-0.7), id="3d-padded"
    ),
    pytest.param((5, 9, 8), Windows(roi=6, overlap=0.5, padding="reflect"), id="3d-reflect"),
    pytest.param((7, 6, 8), Windows(), id="3d-whole"),
]
SCORES = ["logit", "margin", "log_probability", "probability"]


class Brute:
    """A problem with two channels and three classes over windows, and the same scores from MONAI alone."""

    def __init__(self, shape: tuple[int, ...], windows: Windows, kind: str, seed: int = 0) -> None:
        self.net, self.windows, self.kind = (
            smooth_segmenter(len(shape), channels=2).double().requires_grad_(False),
            windows,
            kind,
        )
        self.problem = Problem(
            Model(self.net, spatial_dims=len(shape), windows=windows),
            random_case(shape, 2),
            AllClasses(background=True, score=kind),
            dtype=torch.float64,
            seed=seed,
        )
        assert self.problem.present == [0, 1, 2]
        self.clean = self.stitched(self.problem.image)

    def stitched(self, x: Tensor) -> Tensor:
        """(C, *S) -> (K, *S)."""
        return stitched(self.net, x, self.windows)

    def scores(self, x: Tensor) -> Tensor:
        """Mean over each class's clean region of its score: (K,). The rival is the clean output's."""
        return scores(self.stitched(x), self.clean, self.kind)
