"""Integrated gradients: completeness, quadrature, and baselines that fit the network."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from monai.networks.nets import BasicUNet, DenseNet121, DynUNet, SegResNet, UNet
from networks import random_case, smooth_segmenter
from peers import SETUPS, build
from scipy import ndimage
from torch import nn

from voxplain.attribution import (
    Blur,
    Constant,
    ExpectedGradients,
    IntegratedGradients,
    Mean,
    Minimum,
    OtherCase,
    default_baseline,
)
from voxplain.attribution.baseline import parse_baseline
from voxplain.attribution.gradient.quadrature import quadrature
from voxplain.case import Case, Geometry
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, PredictedRegion

# The highest degree that a rule integrates exactly, from its error term
EXACT = [
    ("gauss-legendre", 1, 1),
    ("gauss-legendre", 4, 7),
    ("gauss-legendre", 32, 63),
    ("midpoint", 1, 1),
    ("midpoint", 9, 1),
    ("trapezoid", 2, 1),
    ("trapezoid", 9, 1),
    ("left", 5, 0),
    ("right", 5, 0),
]


@pytest.mark.parametrize(("rule", "nodes", "degree"), EXACT)
def test_quadrature_is_exact_up_to_its_degree_and_not_beyond(rule, nodes, degree):
    positions, weights = map(np.array, quadrature(rule, nodes))
    assert len(positions) == len(weights) == nodes
    assert positions.min() >= 0 and positions.max() <= 1
    for power in range(degree + 1):
        assert weights @ positions**power == pytest.approx(1 / (power + 1), rel=1e-12)
    if degree < 20:  # beyond, the error is below double precision
        assert abs(weights @ positions ** (degree + 1) - 1 / (degree + 2)) > 1e-9


@pytest.mark.parametrize(("rule", "nodes"), [("simpson", 5), ("midpoint", 0), ("trapezoid", 1)])
def test_impossible_quadrature_is_refused_on_creation(rule, nodes):
    with pytest.raises(InputError, match=r"rule=|nodes="):
        IntegratedGradients(rule=rule, nodes=nodes)


@pytest.mark.parametrize("score", ["logit", "margin", "log_probability", "probability"])
@pytest.mark.parametrize("baseline", [None, "mean", "blur", 0.5])
@pytest.mark.parametrize(
    ("dims", "windows"), [(2, Windows()), (3, Windows()), (3, Windows(roi=6, overlap=0.5))]
)
def test_integrated_gradients_are_complete(dims, windows, baseline, score):
    """In single precision, as users run it: Σ map = F(x) − F(b) within 1e-3 at 32 nodes."""
    shape = (9, 12) if dims == 2 else (8, 7, 9)
    p = Problem(
        Model(smooth_segmenter(dims), windows=windows),
        random_case(shape),
        AllClasses(background=True, score=score),
    )
    found = IntegratedGradients(nodes=32, baseline=baseline).attribute(p)
    start = parse_baseline(baseline, p)(p)
    ends = p.scores([p.image, start])
    for t, answer in enumerate(found.answers):
        difference = float(ends[0, t] - ends[1, t])
        gap = abs(float(found.values(t).double().sum()) - difference) / abs(difference)
        assert answer.checks["completeness_gap"] == pytest.approx(gap, rel=1e-3, abs=5e-5)
        assert gap < 1e-3


@pytest.mark.parametrize("setup", SETUPS)
def test_completeness_holds_for_classifiers_and_channels(setup):
    p, _ = build(setup)
    for answer in IntegratedGradients(nodes=32).attribute(p).answers:
        assert answer.checks["completeness_gap"] < 1e-4


def test_a_rough_quadrature_reports_its_gap():
    p, _ = build((2, "segmentation", 1))
    rough = IntegratedGradients(nodes=1, rule="left", baseline=3.0).attribute(p)
    assert max(a.checks["completeness_gap"] for a in rough.answers) > 0.05
    assert any("misses" in a.note for a in rough.answers)


def unet(norm: str) -> nn.Module:
    return UNet(3, 1, 3, channels=(4, 8, 16), strides=(2, 2), norm=norm)


BLIND = {
    "UNet": lambda: unet("INSTANCE"),
    "BasicUNet": lambda: BasicUNet(3, 1, 3, features=(4, 4, 8, 8, 8, 4)),
    "DynUNet": lambda: DynUNet(
        3, 1, 3, kernel_size=[3, 3, 3], strides=[1, 2, 2], upsample_kernel_size=[2, 2], filters=[4, 8, 8]
    ),
    "SegResNet": lambda: SegResNet(
        3, init_filters=8, in_channels=1, out_channels=3, blocks_down=(1, 1, 1), blocks_up=(1, 1)
    ),
    "LayerNorm": lambda: nn.Sequential(nn.Conv3d(1, 3, 1), nn.LayerNorm(32)),
}
SEEING = {
    "UNet-batch": lambda: unet("BATCH"),
    "DenseNet121": lambda: DenseNet121(3, 1, 3, init_features=4, growth_rate=2, block_config=(1, 1)),
    "plain": lambda: smooth_segmenter(3),
    "instance-norm-with-running-statistics": lambda: nn.Sequential(
        nn.Conv3d(1, 3, 1), nn.InstanceNorm3d(3, track_running_stats=True)
    ),
}


def network_problem(make) -> Problem:
    torch.manual_seed(0)
    # not noise: a blurred image of noise is nearly constant, which no anatomy is
    image = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(32, 32, 32)), 3)
    case = Case(
        "smooth", (100 + 50 * image / image.std())[None].astype(np.float32), Geometry(np.eye(4), (32,) * 3)
    )
    model = Model(make(), spatial_dims=3)
    target = AllClasses() if model.task == "classification" else PredictedRegion(class_name=0)
    for c in range(3):
        p = Problem(model, case, target if model.task == "classification" else PredictedRegion(class_name=c))
        if p.present:
            return p
    raise AssertionError("no class is predicted")


@pytest.mark.parametrize("name", BLIND)
def test_scale_blind_networks_get_a_blurred_baseline(name):
    p = network_problem(BLIND[name])
    assert default_baseline(p) == Blur()
    assert "blur" in IntegratedGradients(nodes=2).attribute(p).answers[0].note


@pytest.mark.parametrize("name", SEEING)
def test_other_networks_get_the_minimum(name):
    p = network_problem(SEEING[name])
    assert default_baseline(p) == Minimum()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        IntegratedGradients(nodes=2, baseline=0).attribute(p)


@pytest.mark.parametrize("name", ["UNet", "BasicUNet", "DynUNet"])
def test_constant_baseline_on_instance_norm_misses_most_and_blur_does_not(name):
    """Published measurement on these networks: 74–99 % of F(x) − F(0) missed at 32 nodes, 0.07–0.46 % with blur."""
    p = network_problem(BLIND[name])
    with pytest.warns(UserWarning, match="blind to scale"):
        constant = IntegratedGradients(nodes=32, baseline=Constant(0.0)).attribute(p)
    blurred = IntegratedGradients(nodes=32).attribute(p)
    assert constant.answers[0].checks["completeness_gap"] > 0.4
    assert "blind to scale" in constant.answers[0].note
    assert blurred.answers[0].checks["completeness_gap"] < 0.02


def test_batch_norm_does_not_need_a_blur():
    """The same U-Net with BatchNorm: 0.03 % missed from zero."""
    found = IntegratedGradients(nodes=32, baseline=0).attribute(network_problem(SEEING["UNet-batch"]))
    assert found.answers[0].checks["completeness_gap"] < 0.01


@pytest.mark.parametrize("setup", SETUPS)
def test_baselines_are_what_they_say(setup):
    dims, _, channels = setup
    p, _ = build(setup)
    image = p.image.numpy()
    axes = tuple(range(1, dims + 1))
    assert np.array_equal(Minimum()(p).numpy(), np.broadcast_to(image.min(axes, keepdims=True), image.shape))
    np.testing.assert_allclose(
        Mean()(p).numpy(), np.broadcast_to(image.mean(axes, keepdims=True), image.shape)
    )
    assert (Constant(1.5)(p) == 1.5).all()
    impulse = np.stack([ndimage.gaussian_filter(c, 2.0, mode="nearest") for c in image])
    np.testing.assert_allclose(Blur(2.0)(p).numpy(), impulse, atol=1e-12)
    other = random_case(p.spatial_shape, channels, seed=9)
    np.testing.assert_allclose(OtherCase(other)(p).numpy(), other.image, atol=0)


def test_blur_is_in_millimetres():
    """A Gaussian of 2 mm is 4 voxels of 0.5 mm but one voxel of 2 mm."""
    shape = (9, 9, 9)
    image = np.zeros((1, *shape), np.float32)
    image[0, 4, 4, 4] = 1
    case = Case("point", image, Geometry(np.diag([0.5, 1.0, 2.0, 1]), shape))
    p = Problem(Model(smooth_segmenter(3)), case, AllClasses(background=True))
    blurred = Blur(2.0)(p).numpy()[0]
    # at one voxel's distance, the normalised kernel falls by exp(−½ (spacing / σ)²)
    along = [blurred[tuple(4 + (a == axis) for a in range(3))] / blurred[4, 4, 4] for axis in (2, 1)]
    assert along == pytest.approx([np.exp(-0.5 * 1.0), np.exp(-0.5 * 0.25)], rel=0.02)


@pytest.mark.parametrize("text", ["blur:-1", "blur:x", "minimum:3", "nonsense", "case:"])
def test_impossible_baselines_are_refused(text):
    p, _ = build((2, "segmentation", 1))
    with pytest.raises(InputError, match="baseline"):
        IntegratedGradients(nodes=2, baseline=text).attribute(p)


def test_a_baseline_case_on_another_grid_is_refused():
    p, _ = build((2, "segmentation", 1))
    with pytest.raises(InputError, match=r"\(1, 5, 5\).*\(1, 9, 12\)"):
        IntegratedGradients(nodes=2, baseline=OtherCase(random_case((5, 5)))).attribute(p)


@pytest.mark.parametrize("setup", SETUPS)
def test_expected_gradients_are_nearly_complete_against_the_mean_baseline(setup):
    p, _ = build(setup)
    found = ExpectedGradients(draws=512, baselines=("minimum", "mean")).attribute(p)
    ends = p.scores([p.image, Minimum()(p), Mean()(p)])
    for t, answer in enumerate(found.answers):
        difference = float(ends[0, t] - ends[1:, t].mean())
        error = abs(float(found.values(t).sum()) - difference)
        assert answer.checks["completeness_gap"] == pytest.approx(error / abs(difference), rel=1e-6, abs=1e-9)
        assert error < 0.02 * float(found.values(t).abs().sum())
