"""Blur integrated gradients: the scale space is the heat equation's, and the path is complete."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from networks import random_case, smooth_segmenter
from peers import SETUPS, build
from scipy import fft, ndimage, special
from stitched import stitched
from torch import nn

from voxplain.attribution import method
from voxplain.attribution.gradient.blur_ig import BlurIntegratedGradients, Scales
from voxplain.case import Case, Geometry
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 2.0, 0.5)])
@pytest.mark.parametrize("sigma", [0.4, 2.5])
def test_blurring_is_lindebergs_discrete_gaussian_with_reflecting_borders(sigma, spacing):
    """Along every axis the kernel exp(−t) I_n(t) of the modified Bessel functions, t = σ² in voxels."""
    image = np.random.default_rng(0).normal(size=(2, 20, 17, 24))
    truth = image
    for axis, s in enumerate(spacing, start=1):
        kernel = special.ive(np.abs(np.arange(-60, 61)), (sigma / s) ** 2)
        truth = ndimage.correlate1d(truth, kernel, axis=axis, mode="reflect")
    found = Scales(torch.from_numpy(image), spacing).blurred(sigma)
    np.testing.assert_allclose(found.numpy(), truth, atol=1e-12)


def test_wide_blurs_are_the_gaussian_filters_and_narrow_ones_do_not_ring():
    image = np.random.default_rng(0).normal(size=(1, 40, 31))
    found = Scales(torch.from_numpy(image), (1.0, 1.0)).blurred(4.0).numpy()
    truth = ndimage.gaussian_filter(image[0], 4.0, mode="reflect")
    assert np.abs(found[0] - truth).max() < 0.05 * np.abs(truth).max()
    edge = torch.zeros((1, 32, 1), dtype=torch.float64)
    edge[:, 16:] = 1
    for sigma in (0.1, 0.3, 0.7, 2.0):
        blurred = Scales(edge, (1.0, 1.0)).blurred(sigma)[0, :, 0]
        assert bool((blurred.diff() > -1e-12).all()), "an edge stays monotone at every width"


def test_blurs_add_up_and_end_at_the_mean():
    """Heat that spreads for σ² = 9 and then for 16 has spread for 25; for ever, it is even."""
    image = torch.from_numpy(np.random.default_rng(1).normal(size=(1, 12, 9)))
    scales = Scales(image, (1.0, 1.5))
    twice = Scales(scales.blurred(3.0), (1.0, 1.5)).blurred(4.0)
    torch.testing.assert_close(twice, scales.blurred(5.0), rtol=1e-10, atol=1e-13)
    torch.testing.assert_close(scales.blurred(0.0), image, rtol=0, atol=0)
    torch.testing.assert_close(scales.blurred(1e-4), image, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(scales.blurred(1e3), torch.full_like(image, float(image.mean())))


@pytest.mark.parametrize("setup", SETUPS)
def test_it_is_the_integral_of_the_paper(setup):
    """∫ ∂F/∂L · ∂L/∂σ dσ with the derivative of the cosine modes, −σλ exp(−σ²λ/2), at 400 midpoints."""
    p, scores = build(setup)
    sigma, count = 3.0, 400
    modes = fft.dctn(p.image.numpy(), axes=tuple(range(1, p.image.dim())), norm="ortho")
    squares = sum(
        np.reshape(
            2 - 2 * np.cos(np.pi * np.arange(n) / n), [-1 if i == a else 1 for i in range(p.image.dim())]
        )
        for a, n in enumerate(p.image.shape)
        if a
    )
    found = BlurIntegratedGradients(nodes=64, sigma=sigma).attribute(p)
    back = {"axes": tuple(range(1, p.image.dim())), "norm": "ortho"}
    truth = [torch.zeros_like(p.image) for _ in range(3)]
    for k in range(count):
        s = sigma * (k + 0.5) / count
        decay = np.exp(-(s**2) * squares / 2)
        x = torch.from_numpy(fft.idctn(modes * decay, **back)).requires_grad_()
        velocity = torch.from_numpy(fft.idctn(-s * squares * modes * decay, **back))
        values = scores(x[None])[0]
        for t in range(3):
            (g,) = torch.autograd.grad(values[t], x, retain_graph=True)
            truth[t] -= g * velocity * sigma / count  # from wide to narrow
    for t in range(3):
        assert float((found.values(t) - truth[t]).abs().max()) < 2e-3 * float(truth[t].abs().max())


@pytest.mark.parametrize("dims", [2, 3])
def test_of_a_linear_network_it_is_the_weight_times_the_detail(dims):
    make = nn.Conv2d if dims == 2 else nn.Conv3d
    torch.manual_seed(1)
    net = nn.Sequential(make(2, 3, 3, padding=1)).double()
    case = random_case((9, 7, 8)[:dims], 2)
    if dims == 3:
        case = Case("thick", case.image, Geometry(np.diag([1.0, 2.0, 3.0, 1.0]), (9, 7, 8)))
    p = Problem(Model(net), case, AllClasses(background=True), dtype=torch.float64)
    spacing = p.prepared.spacing
    assert spacing == ((1.0, 1.0) if dims == 2 else (1.0, 2.0, 3.0))
    found = BlurIntegratedGradients(nodes=3, sigma=4.0).attribute(p)
    detail = p.image - Scales(p.image, spacing).blurred(4.0)
    gradient = method("gradient").attribute(p)
    for t in p.present:
        torch.testing.assert_close(found.values(t), gradient.values(t) * detail, rtol=1e-9, atol=1e-13)
        assert found.answers[t].checks["completeness_gap"] < 1e-9


def test_what_is_missing_shrinks_with_the_square_of_the_nodes():
    p, _ = build((2, "segmentation", 1))
    gaps = [
        np.mean([a.checks["completeness_gap"] for a in BlurIntegratedGradients(nodes=n).attribute(p).answers])
        for n in (4, 16)
    ]
    assert gaps[0] > 1e-6
    assert gaps[1] < gaps[0] / 8


LAYOUTS = [
    ((8, 9, 7), Windows(roi=6, overlap=0.5, blend="gaussian")),
    ((5, 12), Windows(roi=8, overlap=0.3, padding="reflect")),
    ((5, 12), Windows(roi=8, overlap=0.3, padding_value=-0.7)),
]


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_over_windows_it_is_the_stitched_networks(shape, windows, score):
    net = smooth_segmenter(len(shape)).double()
    model = Model(net, spatial_dims=len(shape), windows=windows)
    p = Problem(model, random_case(shape), AllClasses(background=True, score=score), dtype=torch.float64)

    def output(x):
        z = stitched(net, x, windows)
        return z if score == "logit" else z.softmax(0)

    labels = output(p.image).argmax(0)
    chosen = BlurIntegratedGradients(nodes=3, sigma=2.0)
    found = chosen.attribute(p)
    scales = Scales(p.image, p.prepared.spacing)
    images = [scales.blurred(s) for s in (2.0, 2.0 * 4 / 9, 2.0 / 9, 0.0)]  # falling with the square
    truth = [torch.zeros_like(p.image) for _ in range(3)]
    for a, b in pairwise(images):
        x = ((a + b) / 2).requires_grad_()
        values = output(x)
        for t in range(3):
            (g,) = torch.autograd.grad(values[t][labels == t].mean(), x, retain_graph=True)
            truth[t] += g * (b - a)
    for t in range(3):
        torch.testing.assert_close(found.values(t), truth[t], rtol=1e-9, atol=1e-13)


def test_little_memory_changes_nothing(tmp_path):
    """Then one segment's images are held at a time."""
    model = Model(smooth_segmenter(3).double(), spatial_dims=3, windows=Windows(roi=6, overlap=0.5))
    maps = []
    for memory in (2 << 30, 1):
        p = Problem(
            model,
            random_case((8, 9, 7)),
            AllClasses(background=True),
            dtype=torch.float64,
            memory=memory,
            scratch=tmp_path,
        )
        maps.append(BlurIntegratedGradients(nodes=5).attribute(p))
    for t in range(3):
        torch.testing.assert_close(maps[0].values(t), maps[1].values(t), rtol=1e-12, atol=1e-15)
    assert maps[0].passes == maps[1].passes


def test_the_widest_blur_is_a_sixth_of_the_shortest_edge_in_mm():
    case = Case("thick", random_case((12, 10, 6)).image, Geometry(np.diag([1.0, 2.0, 3.0, 1.0]), (12, 10, 6)))
    p = Problem(Model(smooth_segmenter(3)), case, AllClasses(background=True))
    assert BlurIntegratedGradients(nodes=2).widths(p) == pytest.approx([2.0, 0.5, 0.0])  # of 12, 20, 18 mm
    assert "2 mm" in BlurIntegratedGradients(nodes=2).attribute(p).answers[0].note


@pytest.mark.parametrize("parameters", [{"nodes": 0}, {"sigma": 0.0}, {"sigma": float("inf")}])
def test_impossible_parameters_are_refused_on_creation(parameters):
    with pytest.raises(InputError, match=f"{next(iter(parameters))}="):
        BlurIntegratedGradients(**parameters)
