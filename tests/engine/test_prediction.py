"""What the clean prediction says of itself."""

from __future__ import annotations

import pytest
import torch
from networks import random_case, smooth_segmenter
from torch import nn

from voxplain.engine import Problem
from voxplain.model import Model, Windows
from voxplain.target import AllClasses


class WindowMean(nn.Module):
    """Class 1 where a voxel is above the mean of its own window: a network whose answer depends on the window."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = x - x.mean(dim=(2, 3, 4), keepdim=True)
        return torch.cat([-z, z], 1)


def brute_force(net: nn.Module, problem: Problem) -> float:
    """Shared foreground voxels, window by window, against the first window that saw them."""
    earlier: dict[tuple[int, ...], int] = {}
    shared = differing = 0
    for window in range(len(problem.layout)):
        where = problem.layout.slices[window]
        own = net(problem.padded[(slice(None), *where)][None])[0].argmax(0)
        for index in torch.cartesian_prod(*(torch.arange(s.stop - s.start) for s in where)).tolist():
            place = tuple(i + s.start for i, s in zip(index, where, strict=True))
            label = int(own[tuple(index)])
            if place not in earlier:
                earlier[place] = label
            elif earlier[place] or label:
                shared += 1
                differing += earlier[place] != label
    return differing / shared


@pytest.mark.parametrize("make", [lambda: WindowMean(), lambda: smooth_segmenter(3, classes=2)])
def test_disagreement_counts_the_voxels_that_windows_call_differently(make):
    net = make().eval()
    problem = Problem(
        Model(net, spatial_dims=3, windows=Windows(roi=4, overlap=0.5)),
        random_case((6, 5, 7)),
        AllClasses(background=True),
    )
    with torch.no_grad():
        assert problem.prediction.disagreement == pytest.approx(brute_force(net, problem), abs=1e-12)


def test_a_window_that_is_too_small_is_said_to_be_so():
    case = random_case((6, 5, 7))
    small = Problem(
        Model(WindowMean(), spatial_dims=3, windows=Windows(roi=2, overlap=0.5)),
        case,
        AllClasses(background=True),
    )
    assert small.prediction.disagreement > 0.15
    assert "larger roi" in small.remarks()[0]
    whole = Problem(Model(WindowMean(), spatial_dims=3), case, AllClasses(background=True))
    assert whole.remarks() == []
