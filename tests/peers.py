"""Small problems that Captum can be asked about too, and the scalars that it then has to explain."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
import torch
from networks import classifier, random_case, smooth_segmenter
from scipy import ndimage
from torch import Tensor, nn

from voxplain.engine import Problem
from voxplain.model import Model
from voxplain.target import AllClasses

SHAPES = {2: (9, 12), 3: (6, 7, 8)}
SETUPS = [
    pytest.param((dims, task, channels), id=f"{dims}d-{task}-{channels}ch")
    for dims, task, channels in product((2, 3), ("classification", "segmentation"), (1, 2))
]


class Scores(nn.Module):
    """(N, C, *S) -> (N, T): class logits, or the mean logit of each class over its frozen mask."""

    def __init__(self, net: nn.Module, masks: list[Tensor] | None) -> None:
        super().__init__()
        self.net, self.masks = net, masks

    def forward(self, x: Tensor) -> Tensor:
        z = self.net(x)
        if self.masks is None:
            return z
        return torch.stack(
            [(z[:, c] * mask).flatten(1).sum(1) / mask.sum() for c, mask in enumerate(self.masks)], dim=1
        )


def ask(net: nn.Module, problem: Problem) -> Scores:
    """The scores of `AllClasses(background=True)`, built from the network alone."""
    z = net(problem.image[None])[0].detach()
    if z.dim() == 1:
        return Scores(net, None)
    masks = [z.argmax(0) == c for c in range(len(z))]
    assert all(m.any() for m in masks), "the setup must hold every class"
    return Scores(net, masks)


def build(setup: tuple[int, str, int], smooth: float = 0.0, **kwargs: object) -> tuple[Problem, Scores]:
    """A problem in double precision with three targets, and the same scores for Captum.

    ``smooth`` voxels of blur give the image the large structures that supervoxels follow.
    """
    dims, task, channels = setup
    net = (classifier if task == "classification" else smooth_segmenter)(dims, channels).double()
    case = random_case(SHAPES[dims], channels)
    if smooth:
        blurred = ndimage.gaussian_filter(case.image, (0, *(smooth,) * dims), mode="wrap")
        case = replace(case, image=blurred / blurred.std())
    problem = Problem(
        Model(net, spatial_dims=dims),
        case,
        AllClasses(background=True),
        dtype=torch.float64,
        **kwargs,
    )
    assert problem.present == [0, 1, 2]
    return problem, ask(net, problem)


def everywhere(problem: Problem) -> tuple[slice, ...]:
    return tuple(slice(0, s) for s in problem.plan.shape)
