"""Sensitivity and stability to rounding, against closed forms of linear networks, Captum and Quantus."""

from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from captum.metrics import sensitivity_max
from networks import classifier, random_case, smooth_segmenter
from peers import SETUPS, build
from scipy import ndimage
from torch import nn
from torchvision_stand_in import peer

from voxplain.attribution import Method, Result, method
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.metric import evaluate, judged, metric
from voxplain.metric.nulls import null
from voxplain.metric.robustness.neighbours import Neighbours
from voxplain.metric.robustness.rounding import RoundingStability
from voxplain.model import Model, Windows
from voxplain.target import AllClasses

BOTH = ("sensitivity_max", "sensitivity_average")


def linear(shape, channels=1):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(channels * int(np.prod(shape)), 2, bias=False)).double()
    model = Model(net, spatial_dims=len(shape), channels_in=channels, windows=Windows(roi=None))
    return problem(model, random_case(shape, channels))


def problem(model, case, **kwargs):
    return Problem(model, case, AllClasses(background=True), dtype=torch.float64, **kwargs)


def figures(p, attribution, name, **parameters):
    found = metric(name, **parameters).compute(p, [judged(attribution)])
    return [found[0, t] for t in range(len(p.targets))]


# --- closed forms -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "channels"), [((5, 6), 2), ((4, 3, 5), 1)])
def test_the_gradient_of_a_linear_network_never_moves(shape, channels):
    p = linear(shape, channels)
    for name in BOTH:
        for figure in figures(p, method("gradient").attribute(p), name, draws=3):
            assert figure.value == 0
            assert figure.curve == (0, 0, 0)
    for figure in figures(p, method("gradient").attribute(p), "rounding_stability"):
        assert figure.value == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("kind", ["box", "gaussian"])
@pytest.mark.parametrize(("shape", "channels"), [((5, 6), 2), ((4, 3, 5), 1)])
def test_input_times_gradient_moves_by_the_weights_times_the_change(shape, channels, kind):
    """a = w ⊙ x, so that ‖a(x + δ) − a(x)‖ / ‖a(x)‖ = ‖w ⊙ δ‖ / ‖w ⊙ x‖."""
    p = linear(shape, channels)
    near = Neighbours(4, 0.05, kind)
    found = method("input_x_gradient").attribute(p)
    largest = figures(p, found, "sensitivity_max", draws=4, radius=0.05, shape=kind)
    mean = figures(p, found, "sensitivity_average", draws=4, radius=0.05, shape=kind)
    for t, w in enumerate(p.model.module[1].weight.detach().reshape(2, *p.image.shape)):
        truth = [float((w * near.offset(p, d)).norm() / (w * p.image).norm()) for d in range(4)]
        assert largest[t].value == pytest.approx(max(truth), rel=1e-9)
        assert mean[t].value == pytest.approx(np.mean(truth), rel=1e-9)
        assert mean[t].curve == pytest.approx(truth, rel=1e-9)
        low, high = mean[t].interval
        assert min(truth) <= low < mean[t].value < high <= max(truth)


def test_on_a_linear_network_the_exact_map_is_the_most_stable_and_zeros_do_not_win():
    p = linear((5, 6))
    exact, other = method("gradient").attribute(p), method("input_x_gradient").attribute(p)
    rows = evaluate(p, [exact, other], [metric("sensitivity_average", draws=4)]).rows()
    assert [r["tells"] for r in rows if r["method"] == "gradient"] == [True, True]
    assert all(np.isnan(r["null_zero"]) for r in rows)
    values = {(r["method"], r["target"]): r["value"] for r in rows}
    assert all(values["gradient", t.name] < values["input_x_gradient", t.name] for t in p.targets)


def test_the_change_is_a_share_of_each_channels_range():
    case = random_case((7, 8), 2)
    case = Case(id="units", image=case.image * np.array([1, 1000], np.float32)[:, None, None] + 50)
    p = problem(Model(classifier(2, 2).double(), spatial_dims=2), case)
    span = p.image.flatten(1).amax(1) - p.image.flatten(1).amin(1)
    box = torch.stack([Neighbours(20, 0.1, "box").offset(p, d) for d in range(20)])
    share = box.transpose(0, 1).flatten(1).abs() / span[:, None]
    assert float(share.max()) <= 0.1
    assert bool((share.amax(1) > 0.099).all())
    # uniform: standard deviation radius / √3; normal: the radius itself (1120 numbers each: ±10 % is five deviations)
    assert (box.transpose(0, 1).flatten(1).std(1) / span).tolist() == pytest.approx(
        [0.1 / 3**0.5] * 2, rel=0.1
    )
    normal = torch.stack([Neighbours(20, 0.1, "gaussian").offset(p, d) for d in range(20)])
    assert (normal.transpose(0, 1).flatten(1).std(1) / span).tolist() == pytest.approx([0.1] * 2, rel=0.1)
    assert not torch.equal(box[0], box[1])


def test_the_unit_of_the_image_does_not_matter():
    net = classifier(2).double()
    first = net[0]
    thousand = classifier(2).double()
    with torch.no_grad():
        thousand[0].weight /= 1000
    case = random_case((8, 9))
    in_thousands = Case(id="mg", image=case.image * 1000)
    assert first.bias is not None
    a, b = (
        figures(p, method("gradient").attribute(p), "sensitivity_average", draws=3)
        for p in (
            problem(Model(net, spatial_dims=2), case),
            problem(Model(thousand, spatial_dims=2), in_thousands),
        )
    )
    assert [f.value for f in a] == pytest.approx([f.value for f in b], rel=1e-5)


def test_ties_of_a_pooling_are_what_rounding_decides():
    """Blocks of four equal voxels: which of them the gradient goes to is decided by the signs of the rounding."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 2, bias=False))
    values = np.random.default_rng(0).uniform(1, 2, size=(1, 4, 4)).astype(np.float32)
    case = Case(id="blocks", image=values.repeat(2, 1).repeat(2, 2))
    model = Model(net, spatial_dims=2, channels_in=1, windows=Windows(roi=None))
    p = Problem(model, case, AllClasses(background=True))
    found = figures(p, method("gradient").attribute(p), "rounding_stability")
    rounded = RoundingStability().image(p)[0].numpy()
    ratio = rounded / case.image[0] - 1
    assert (np.abs(np.abs(ratio) - 1e-6) < 1e-7).all()
    assert 20 < (ratio > 0).sum() < 44
    for t, w in enumerate(net[2].weight.detach().numpy().reshape(2, 4, 4)):
        a, b = np.zeros((8, 8)), np.zeros((8, 8))
        for i, j in np.ndindex(4, 4):
            a[2 * i, 2 * j] = w[i, j]  # the first of equals
            block = rounded[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
            di, dj = divmod(int(block.argmax()), 2)
            b[2 * i + di, 2 * j + dj] = w[i, j]
        assert not np.array_equal(a, b)
        assert found[t].value == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1], abs=1e-6)


# --- peers --------------------------------------------------------------------------------------------------------

PEERS = {
    "gradient": (Saliency, {"abs": False}),
    "input_x_gradient": (InputXGradient, {}),
    "integrated_gradients": (IntegratedGradients, {"n_steps": 8, "method": "gausslegendre"}),
}


@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.parametrize("name", PEERS)
def test_as_captum_with_the_same_changes(name, setup):
    p, scores = build(setup)
    peer_class, settings = PEERS[name]
    ours = method(name, nodes=8, baseline=0) if name == "integrated_gradients" else method(name)
    found = figures(p, ours.attribute(p), "sensitivity_max", draws=3, radius=0.1)
    near = Neighbours(3, 0.1, "box")
    for t in range(3):
        truth = sensitivity_max(
            peer_class(scores).attribute,
            p.image[None],
            perturb_func=lambda x: x + torch.stack([near.offset(p, d) for d in range(3)]),
            n_perturb_samples=3,
            norm_ord=2,
            target=t,
            **settings,
        )
        assert found[t].value == pytest.approx(float(truth), rel=1e-5)


def test_as_quantus_with_the_same_changes():
    try:
        quantus = peer("quantus")
    except ImportError as error:
        pytest.skip(f"quantus is not here ({error})")
    p, scores = build((2, "classification", 2))
    near, seen = Neighbours(4, 0.02, "box"), iter(range(8))

    def perturb(arr, **_):
        return arr + near.offset(p, next(seen) % 4).numpy().reshape(arr.shape)

    def explain(model, inputs, targets, **_):
        x, y = torch.as_tensor(inputs).double(), torch.as_tensor(targets)
        return Saliency(scores).attribute(x, target=y, abs=False).detach().numpy()

    found = method("gradient").attribute(p)
    for name, theirs in zip(BOTH, (quantus.MaxSensitivity, quantus.AvgSensitivity), strict=True):
        settings = {"nr_samples": 4, "perturb_func": perturb, "abs": False, "normalise": False}
        judge = theirs(**settings, disable_warnings=True, display_progressbar=False)
        (truth,) = judge(
            model=scores.double().eval(),
            x_batch=p.image[None].numpy(),
            y_batch=np.array([1]),
            explain_func=explain,
            channel_first=True,
        )
        assert figures(p, found, name, draws=4)[1].value == pytest.approx(float(truth), rel=1e-6)


# --- nulls and refusals -------------------------------------------------------------------------------------------


def test_nulls_are_judged_like_maps():
    """Edges move with the image, by scipy; a map that ignores the image never moves; zeros have no size."""
    p = linear((6, 7))
    near = Neighbours(3, 0.1, "box")
    nulls = [null(n, p) for n in ("edges", "random-1", "zero")]
    found = metric("sensitivity_max", draws=3, radius=0.1).compute(p, nulls)

    def edges(x):
        return ndimage.gaussian_gradient_magnitude(x[0].numpy(), 1.0)

    clean = edges(p.image)
    truth = [np.linalg.norm(edges(near.image(p, d)) - clean) / np.linalg.norm(clean) for d in range(3)]
    assert found[0, 0].value == pytest.approx(max(truth), rel=1e-9)
    assert found[1, 0].value == 0
    assert np.isnan(found[2, 0].value)
    assert "zero" in found[2, 0].note


@dataclass(frozen=True)
class Nowhere(Method):
    """A method whose map is zero for one target and constant for the other."""

    name: ClassVar[str] = "nowhere"
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Nowhere"
    source: ClassVar[str] = "none"

    def compute(self, problem):
        maps = problem.store(1)
        for t in problem.present:
            maps[t] = torch.full((1, *problem.spatial_shape), float(t), dtype=problem.dtype)
        return Result(maps, problem.clean_scores(), "score")


def test_a_map_without_size_has_no_figure_and_says_why():
    p = linear((5, 6))
    found = Nowhere().attribute(p)
    zero, constant = figures(p, found, "sensitivity_max", draws=3)
    assert np.isnan(zero.value)
    assert "the map is zero" in zero.note
    assert constant.value == 0
    for figure in figures(p, found, "rounding_stability"):
        assert np.isnan(figure.value)
        assert "zero or constant" in figure.note


@pytest.mark.parametrize("name", [*BOTH, "rounding_stability"])
def test_a_map_of_nobody_and_a_synthetic_image_are_not_judged(name):
    p = problem(Model(classifier(2).double(), spatial_dims=2), random_case((8, 9)))
    orphan = method("gradient").attribute(p)
    orphan.made_by = None
    dream = method("deep_dream", steps=1, octaves=2).attribute(p)
    before = p.passes.copy()
    for found, why in ((orphan, "which method made it"), (dream, "synthetic image")):
        assert all(np.isnan(f.value) and why in f.note for f in figures(p, found, name))
        assert metric(name).cost(p, [judged(found)]).forward == 0
    assert (p.passes - before).forward == 0


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_constant_image_has_no_range(value):
    case = Case(id="flat", image=np.full((1, 8, 9), value, np.float32))
    p = problem(Model(classifier(2).double(), spatial_dims=2), case)
    for figure in figures(p, method("gradient").attribute(p), "sensitivity_max"):
        assert np.isnan(figure.value)
        assert "constant" in figure.note
    rounding = figures(p, method("gradient").attribute(p), "rounding_stability")[0]
    assert np.isnan(rounding.value) == (value == 0)  # zero has no last digit


def test_parameters_that_leave_nothing_are_refused():
    for wrong in ({"draws": 0}, {"radius": 0.0}, {"radius": float("nan")}, {"shape": "cube"}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            metric("sensitivity_max", **wrong)
    with pytest.raises(InputError, match="epsilon"):
        metric("rounding_stability", epsilon=0.0)


# --- contract -----------------------------------------------------------------------------------------------------


def windows_problem(**kwargs):
    model = Model(smooth_segmenter(3).double(), spatial_dims=3, windows=Windows(roi=6, overlap=0.5))
    return problem(model, random_case((8, 9, 7)), **kwargs)


def judgeable(p):
    names = ("gradient", "grad_cam", "score_cam", "smoothgrad", "occlusion")
    small = {"score_cam": {"channels": 2}, "smoothgrad": {"draws": 2}, "occlusion": {"size": 4}}
    return [judged(method(n, **small.get(n, {})).attribute(p)) for n in names]


def test_cost_is_exact_and_both_statistics_share_it():
    p = windows_problem()
    candidates = [*judgeable(p), null("edges", p)]
    for name, settings in (("sensitivity_max", {"draws": 2}), ("rounding_stability", {})):
        one = metric(name, **settings)
        cost, before = one.cost(p, candidates), p.passes.copy()
        one.compute(p, candidates)
        assert p.passes - before == cost
        assert cost.backward > 0
        assert one.cost(p, candidates).forward == 0
    other = metric("sensitivity_average", draws=2)
    assert other.cost(p, candidates).forward == 0
    before = p.passes.copy()
    other.compute(p, candidates)
    assert p.passes == before
    assert metric("sensitivity_average", draws=3).cost(p, candidates).forward > 0


def test_the_same_seed_gives_the_same_figure_and_another_another():
    def run(seed):
        p = windows_problem(seed=seed)
        return [f.value for f in figures(p, method("gradient").attribute(p), "sensitivity_max", draws=3)]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_the_clean_problem_is_untouched():
    p = windows_problem()
    found = method("gradient").attribute(p)
    image, map_before, scores = p.image.clone(), found.values(1).clone(), p.clean_scores().clone()
    figures(p, found, "sensitivity_max", draws=2)
    assert torch.equal(p.image, image)
    assert torch.equal(found.values(1), map_before)
    assert torch.equal(p.clean_scores(), scores)


def test_a_random_method_draws_the_same_numbers_each_time():
    """With other noise at every run, SmoothGrad of two draws would change by far more than the image does."""
    p = windows_problem()
    found = method("smoothgrad", draws=2).attribute(p)
    for figure in figures(p, found, "sensitivity_max", draws=3, radius=1e-6):
        assert figure.value < 1e-4
        assert "own seed" in figure.note
    assert figures(p, method("gradient").attribute(p), "sensitivity_max", draws=3)[0].note == ""


def test_the_target_stays_what_it_was_though_the_prediction_changes():
    """At a radius that changes the prediction, the map is still that of the clean region (brute force)."""
    p = problem(Model(smooth_segmenter(2).double(), spatial_dims=2), random_case((9, 12)))
    near = Neighbours(3, 1.0, "box")
    net, clean = p.model.module, p.model.module(p.image[None])[0].argmax(0)

    def gradient(image, t):
        x = image[None].clone().requires_grad_()
        (found,) = torch.autograd.grad(net(x)[0, t][clean == t].mean(), x)
        return found

    assert not torch.equal(net(near.image(p, 0)[None])[0].argmax(0), clean)
    found = figures(p, method("gradient").attribute(p), "sensitivity_average", draws=3, radius=1.0)
    for t in range(3):
        a = gradient(p.image, t)
        truth = [float((gradient(near.image(p, d), t) - a).norm() / a.norm()) for d in range(3)]
        assert found[t].value == pytest.approx(np.mean(truth), rel=1e-9)


def test_a_judged_map_can_be_forgotten():
    """What is kept for other metrics holds the method, which is small, and not its maps."""
    p = windows_problem()
    found = method("gradient").attribute(p)
    maps = weakref.ref(found.maps)
    for name in ("sensitivity_max", "rounding_stability", "mprt"):
        figures(p, found, name)
    del found
    gc.collect()
    assert maps() is None
