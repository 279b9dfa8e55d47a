"""How sure a segmentation is, against probabilities of the whole stitched output, and without a pass of its own."""

from __future__ import annotations

import numpy as np
import pytest
import scipy
import torch
from torch import nn

from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.model import Model, Windows


def asked(output: str, channels: int, roi: int | None) -> Problem:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv3d(4, channels, 1))
    if output == "probabilities":
        net.append(nn.Softmax(1))
    with torch.no_grad():
        net[2].weight *= 6
    image = np.random.default_rng(0).normal(size=(1, 9, 7, 8))
    windows = Windows(roi=roi, overlap=0.5, blend="gaussian") if roi else Windows()
    model = Model(net, spatial_dims=3, task="segmentation", output=output, windows=windows)
    return Problem(model, Case("a", scipy.ndimage.gaussian_filter(image, (0, 1, 1, 1))), ["all"])


def stitched(problem: Problem) -> torch.Tensor:
    """The whole output, windows added up one by one in double precision."""
    layout, module = problem.layout, problem.model.module
    out = torch.zeros((problem.model.channels_out, *layout.padded), dtype=torch.float64)
    for w, where in enumerate(layout.slices):
        with torch.no_grad():
            z = module(problem.padded[(None, slice(None), *where)])[0]
        out[(slice(None), *where)] += z.double() * layout.weight(w).double()
    return layout.unpad(out)


def by_hand(problem: Problem) -> np.ndarray:
    z, kind = stitched(problem).numpy(), problem.model.output
    if kind == "sigmoid":
        masks = z > 0
        shares = 1 / (1 + np.exp(-z))
        bits = -(shares * np.log2(shares) + (1 - shares) * np.log2(1 - shares))
    else:
        if z.shape[0] == 1:
            z = np.concatenate([np.zeros_like(z), z])
        p = z if kind == "probabilities" else scipy.special.softmax(z, axis=0)
        masks = p.argmax(0) == np.arange(len(p))[:, None, None, None]
        shares = p
        bits = np.broadcast_to(-(p * np.log2(p)).sum(0), p.shape)
    rows = []
    for mask, share, entropy in zip(masks, shares, bits, strict=True):
        # a voxel within the class whose eroded class lacks it touches something else; the image's rim does not count
        cross = scipy.ndimage.generate_binary_structure(3, 1)
        edge = mask & ~scipy.ndimage.binary_erosion(mask, cross, border_value=1)
        rows.append([mask.sum(), share[mask].sum(), edge.sum(), (edge & (entropy > 0.9)).sum()])
    return np.array(rows, dtype=float)


@pytest.mark.filterwarnings("ignore:.*disagree", "ignore:.*padding")
@pytest.mark.parametrize("roi", [None, 5, 10])
@pytest.mark.parametrize(
    ("output", "channels"), [("softmax", 4), ("sigmoid", 3), ("binary", 1), ("probabilities", 3)]
)
def test_counts_are_those_of_the_whole_output(output: str, channels: int, roi: int | None) -> None:
    problem = asked(output, channels, roi)
    found, expected = problem.prediction.certainty.numpy(), by_hand(problem)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert expected[:, 3].max() > 0  # there is something to count
    assert problem.passes.forward == len(problem.layout)
