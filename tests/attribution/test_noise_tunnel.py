"""The noise tunnel gives Captum's numbers around any method, and those of SmoothGrad around the gradient."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from captum.attr import IntegratedGradients as Integrated, LayerGradCam, NoiseTunnel as Tunnel
from command_line import folder, voxplain  # noqa: F401  fixtures
from networks import classifier, random_case, smooth_segmenter
from peers import SETUPS, build, everywhere
from stitched import stitched
from torch import nn

from voxplain.attribution import method
from voxplain.attribution.gradient.noise_tunnel import NoiseTunnel
from voxplain.attribution.nested import parse_method
from voxplain.engine import Problem
from voxplain.errors import InputError, ModelError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses

pytestmark = pytest.mark.filterwarnings("ignore:Input Tensor 0 did not")
KINDS = {"smoothgrad": "smoothgrad", "smoothgrad_squared": "smoothgrad_sq", "vargrad": "vargrad"}


def noise_of(problem: Problem, draws: int, share: float) -> torch.Tensor:
    """(draws, C, *spatial) the noise that is added, of a share of every channel's range."""
    ranges = torch.stack([channel.max() - channel.min() for channel in problem.image])
    sigma = share * ranges.reshape(-1, *(1,) * (problem.image.dim() - 1))
    fields = [problem.noise().box(i, everywhere(problem)) for i in range(draws)]
    if problem.layout is not None:
        fields = [problem.layout.unpad(f) for f in fields]
    return torch.stack([sigma * f for f in fields])


def windowed(dims: int, score: str = "logit", **kwargs: Any) -> Problem:
    windows = (
        Windows(roi=6, overlap=0.5, blend="gaussian") if dims == 3 else Windows(roi=8, padding="reflect")
    )
    shape = (8, 9, 7) if dims == 3 else (5, 12)
    net = smooth_segmenter(dims).double()
    targets = AllClasses(background=True, score=score)
    model = Model(net, spatial_dims=dims, windows=windows)
    return Problem(model, random_case(shape), targets, dtype=torch.float64, **kwargs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "make",
    [
        *(pytest.param(lambda s=s.values[0]: build(s, seed=3)[0], id=s.id) for s in SETUPS),
        pytest.param(lambda: windowed(3, seed=3), id="windows-3d"),
        pytest.param(lambda: windowed(2, "probability", seed=3), id="windows-2d-padded-probability"),
    ],
)
def test_around_the_gradient_it_is_smoothgrad(make, kind):
    a = NoiseTunnel(of="gradient", kind=kind, draws=5, sigma=0.2).attribute(make())
    b = method(kind, draws=5, sigma=0.2).attribute(make())
    for t in range(3):
        torch.testing.assert_close(a.values(t), b.values(t), rtol=1e-9, atol=1e-16)
        assert a.answers[t].checks["agreement"] == pytest.approx(b.answers[t].checks["agreement"], rel=1e-9)
        assert a.answers[t].score == pytest.approx(b.answers[t].score, rel=1e-12)
    assert a.voxel_power == b.voxel_power and a.unit == b.unit


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setup", SETUPS)
def test_around_integrated_gradients_it_is_captums(setup, kind, monkeypatch):
    """Captum's tunnel keeps one baseline for all its noisy copies; the clean image's minimum is such a one."""
    problem, scores = build(setup, seed=11)
    found = NoiseTunnel(
        of="integrated_gradients(nodes=4,rule=midpoint,baseline=minimum)", kind=kind, draws=3, sigma=0.2
    ).attribute(problem)
    noise = noise_of(problem, 3, 0.2)
    start = torch.stack([torch.full_like(c, float(c.min())) for c in problem.image])
    monkeypatch.setattr(torch, "normal", lambda _, deviations: noise.reshape(deviations.shape))
    for t in range(3):
        truth = Tunnel(Integrated(scores)).attribute(
            problem.image[None],
            nt_type=KINDS[kind],
            nt_samples=3,
            target=t,
            baselines=start[None],
            n_steps=4,
            method="riemann_middle",
        )[0]
        torch.testing.assert_close(found.values(t), truth, rtol=1e-4, atol=1e-10)
        assert truth.abs().max() > 1e-9


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("dims", [2, 3])
def test_over_windows_it_is_the_stitched_networks(dims, score):
    """x' · ∂F(x')/∂x' with F the mean over the clean prediction's regions of MONAI's own stitched output."""
    p = windowed(dims, score, seed=2)
    found = NoiseTunnel(of="input_x_gradient", draws=3, sigma=0.3).attribute(p)

    def output(x):
        z = stitched(p.model.module, x, p.model.windows)
        return z.softmax(0) if score == "probability" else z

    labels = stitched(p.model.module, p.image, p.model.windows).detach().argmax(0)
    truth = [torch.zeros_like(p.image) for _ in range(3)]
    for e in noise_of(p, 3, 0.3):
        x = (p.image + e).requires_grad_()
        values = output(x)
        for t in range(3):
            (g,) = torch.autograd.grad(values[t][labels == t].mean(), x, retain_graph=True)
            truth[t] += (x.detach() * g) / 3
    for t in range(3):
        torch.testing.assert_close(found.values(t), truth[t], rtol=1e-9, atol=1e-13)


def test_around_grad_cam():
    """The mean of Captum's maps at the same noisy images; the layer has the image's size, so nothing is resized."""
    problem, scores = build((2, "classification", 1), seed=5)
    found = NoiseTunnel(of="grad_cam:layer=0", draws=4).attribute(problem)
    cam = LayerGradCam(scores, scores.net[0])
    for t in range(3):
        maps = [
            cam.attribute((problem.image + e)[None], target=t, relu_attributions=True)[0]
            for e in noise_of(problem, 4, 0.1)
        ]
        torch.testing.assert_close(found.values(t), torch.stack(maps).mean(0), rtol=1e-9, atol=1e-14)
    assert found.voxel_power == 0


def test_a_random_method_draws_anew_for_every_copy():
    """Nearly without noise, only its own random draws make the inner maps differ."""
    p, _ = build((2, "segmentation", 1))
    varied = NoiseTunnel(of="expected_gradients:draws=2", kind="vargrad", draws=3, sigma=1e-9).attribute(p)
    fixed = NoiseTunnel(of="integrated_gradients:nodes=2", kind="vargrad", draws=3, sigma=1e-9).attribute(p)
    for t in range(3):
        assert float(varied.values(t).max()) > 1e6 * float(fixed.values(t).max())


@pytest.mark.parametrize("text", ["expected_gradients:draws=3", "deep_lift_shap"])
def test_several_baselines_stay_the_clean_images(text):
    """Of a linear network E[(x + ε − b) · w], b the mean of the *clean* image's minimum, mean and blur."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1)).double()
    p = Problem(Model(net), random_case((6, 7)), AllClasses(background=True), dtype=torch.float64)
    starts = [b(p) for b in method("expected_gradients").starts(p)]
    found = NoiseTunnel(of=text, draws=4, sigma=0.2).attribute(p)
    gradient = method("gradient").attribute(p)
    noisy = (p.image + noise_of(p, 4, 0.2)).mean(0)
    for t in p.present:
        truth = (noisy - torch.stack(starts).mean(0)) * gradient.values(t)
        torch.testing.assert_close(found.values(t), truth, rtol=1e-9, atol=1e-14)


def test_variance_of_a_linear_networks_gradient_is_zero_and_said_to_be():
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.Conv3d(4, 3, 3, padding=1))
    model = Model(linear, spatial_dims=3, windows=Windows(roi=6, overlap=0.5))
    p = Problem(model, random_case((8, 9, 7)), AllClasses(background=True))
    found = NoiseTunnel(of="gradient", kind="vargrad", draws=4).attribute(p)
    assert {a.status for a in found.answers} == {"zero"}


def test_what_rounding_alone_could_explain_is_vargrads_own():
    """Its floor, (16 ε max|g|)², below which a variance is said to be zero; a mean has none."""
    problems = [windowed(3) for _ in range(2)]
    floor = NoiseTunnel(of="gradient", kind="vargrad", draws=3).compute(problems[0]).floor
    truth = method("vargrad", draws=3).compute(problems[1]).floor
    assert floor == pytest.approx(truth, rel=1e-9, abs=0) and min(truth.values()) > 0
    assert set(NoiseTunnel(of="gradient", draws=2).compute(problems[0]).floor.values()) == {0.0}


def test_maps_that_do_not_fit_into_memory_are_the_same(tmp_path):
    kinds = [NoiseTunnel(of="input_x_gradient", kind=k, draws=3) for k in KINDS]
    for chosen in kinds:
        a, b = chosen.attribute(windowed(3)), chosen.attribute(windowed(3, memory=1, scratch=tmp_path))
        assert all(torch.equal(a.values(t), b.values(t)) for t in range(3))
        assert b.maps.on_disk and not a.maps.on_disk


@pytest.mark.parametrize(
    "text",
    [
        "gradient",
        "integrated_gradients(nodes=3)",
        "guided_ig:steps=2",
        "blur_ig:nodes=2",
        "expected_gradients:draws=2",
        "grad_cam",
        "hires_cam:layer=1",
    ],
)
def test_the_cost_is_told_for_whatever_it_wraps(text):
    p = windowed(3, "probability")
    chosen = NoiseTunnel(of=text, draws=3)
    told = chosen.cost(p)
    assert chosen.attribute(p).passes == told


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"of": "noise_tunnel"}, "averaged over noise already"),
        ({"of": "vargrad"}, "averaged over noise already"),
        ({"of": "occlusion"}, "family perturbation"),
        ({"of": "deep_dream"}, "family synthesis"),
        ({"of": "eigen_cam"}, "does not follow the gradient"),
        ({"of": "integrated_gradient"}, "did you mean 'integrated_gradients'"),
        ({"of": "integrated_gradients:nods=3"}, "did you mean 'nodes'"),
        ({"of": "integrated_gradients:nodes=0"}, "nodes=0"),
        ({"of": "integrated_gradients(nodes=3"}, "not closed"),
        ({"of": "integrated_gradients:nodes"}, "expected parameter=value"),
        ({"kind": "mean"}, "kind='mean'"),
        ({"draws": 1}, "draws=1"),
        ({"sigma": 0.0}, "sigma=0"),
    ],
)
def test_what_makes_no_sense_is_refused_on_creation(parameters, match):
    with pytest.raises(InputError, match=match):
        NoiseTunnel(**parameters)


def test_the_inner_methods_own_refusals_come_before_anything_runs():
    scripted = torch.jit.script(smooth_segmenter(2))
    p = Problem(Model(scripted), random_case((7, 8)), "1")
    before = p.passes.copy()
    with pytest.raises(ModelError, match="hooks"):
        NoiseTunnel(of="grad_cam").attribute(p)
    with pytest.raises(ModelError, match="no such layer"):
        NoiseTunnel(of="grad_cam:layer=9").check(Model(classifier(2), spatial_dims=2))
    assert p.passes == before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("integrated-gradients", {"nodes": 32, "baseline": None}),
        ("integrated_gradients:nodes=8,baseline=blur:4", {"nodes": 8, "baseline": "blur:4"}),
        ("integrated_gradients( nodes=8, baseline=0.5 )", {"nodes": 8, "baseline": 0.5}),
        ("expected_gradients(baselines=[0.0, blur], draws=3)", {"draws": 3, "baselines": [0.0, "blur"]}),
        ("grad_cam:layer=3,relu=false", {"layer": "3", "relu": False}),
        ("grad_cam:layer=null", {"layer": None, "relu": True}),
    ],
)
def test_the_grammar_of_a_method_in_a_method(text, expected):
    found = parse_method(text).parameters()
    assert {k: found[k] for k in expected} == expected


@pytest.mark.parametrize(
    "words",
    [
        "noise_tunnel:of=integrated_gradients:nodes=2,draws=2",
        "noise-tunnel:of=integrated_gradients(nodes=2,baseline=minimum),draws=2",
    ],
)
def test_from_the_command_line(
    words: str,
    folder: Path,  # noqa: F811
    voxplain: Callable[..., Any],  # noqa: F811
) -> None:
    base = ("explain", "--model", "nets.py:unet", "--image", "scan.nii.gz", "--out", "out", "--target", "1")
    ran = voxplain(*base, "--set", "maps.figures=0", "--method", words)
    assert ran.code == 0, ran.err
    with Path("out/table.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    # two copies at two nodes each, and the two ends of each; the clean scores
    assert (row["status"], row["forward_passes"], row["backward_passes"]) == ("ok", "9", "4")
