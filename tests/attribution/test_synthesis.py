"""Synthetic images rise to what is known to be the best, in two and three dimensions, from seeded noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import classifier, random_case, smooth_segmenter
from peers import SETUPS, build
from stitched import stitched
from torch import nn

from voxplain.attribution.synthesis.dream import DeepDream, mirrored, resized
from voxplain.attribution.synthesis.image import Adam, Movement, Painting, rotation
from voxplain.attribution.synthesis.maximization import ActivationMaximization
from voxplain.case import Case, Geometry
from voxplain.engine import Problem
from voxplain.errors import InputError, ModelError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, Voxel

STILL = {"jitter": 0, "rotate": 0.0, "zoom": 0.0}


class Weighted(nn.Module):
    """F_k = Σ w_k ⊙ x."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        return x.flatten(1) @ self.weight.flatten(1).T


def weighted(shape, channels=1, **kwargs):
    weight = torch.from_numpy(np.random.default_rng(1).normal(size=(2, channels, *shape)))
    model = Model(Weighted(weight), spatial_dims=len(shape), channels_in=channels, fixed_shape=shape)
    return Problem(model, random_case(shape, channels), AllClasses(), dtype=torch.float64, **kwargs), weight


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("shape", [(8, 9), (5, 6, 4)])
def test_of_a_linear_network_every_voxel_goes_to_the_bound_that_its_weights_sign_asks_for(shape, channels):
    """The optimum within bounds: Σ max(w · low, w · high)."""
    p, weight = weighted(shape, channels)
    flat = p.image.flatten(1)
    column = (-1, *(1,) * len(shape))
    low, high = flat.amin(1).reshape(column), flat.amax(1).reshape(column)
    found = ActivationMaximization(steps=300, rate=0.2, decorrelate=False, **STILL).attribute(p)
    for t in range(2):
        w, x, checks = weight[t], found.values(t), found.answers[t].checks
        best, worst = (float(f(w * low, w * high).sum()) for f in (torch.maximum, torch.minimum))
        assert (best - checks["score_reached"]) / (best - worst) < 0.02
        assert checks["score_reached"] == pytest.approx(float((w * x).sum()), rel=1e-10)
        assert checks["score_clean"] == pytest.approx(float((w * p.image).sum()), rel=1e-10)
        share = (x - low) / (high - low)
        heavy = w.abs() > 0.3
        assert bool((share[heavy & (w > 0)] > 0.8).all()) and bool((share[heavy & (w < 0)] < 0.2).all())


@pytest.mark.parametrize("setup", SETUPS)
def test_the_score_rises_from_the_noise_and_the_noise_is_not_returned(setup):
    """In the tool that this one learnt from, the volume of noise had no gradient and came back as it was."""
    p, scores = build(setup)
    # these regions are noise themselves, and do not hold still under movements
    chosen = ActivationMaximization(steps=30, **(STILL if setup[1] == "segmentation" else {}))
    found = chosen.attribute(p)
    start = ActivationMaximization(steps=1, rate=1e-9, **STILL).attribute(p)
    for t, answer in enumerate(found.answers):
        checks = answer.checks
        assert answer.status == "ok" and checks["score_reached"] > checks["score_start"]
        assert float((found.values(t) - start.values(t)).abs().max()) > 0.1
        with torch.no_grad():
            truth = scores(torch.stack([start.values(t), found.values(t), p.image]))[:, t]
        told = [checks[f"score_{k}"] for k in ("start", "reached", "clean")]
        np.testing.assert_allclose(told, truth.numpy(), rtol=1e-5, atol=1e-9)
        low, high = (getattr(p.image.flatten(1), f)(1) for f in ("amin", "amax"))
        flat = found.values(t).flatten(1)
        assert bool((flat.amin(1) >= low).all()) and bool((flat.amax(1) <= high).all())
    assert (found.voxel_power, chosen.answer) == (0, "image")


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize("dims", [2, 3])
def test_over_windows_the_score_is_the_stitched_networks(dims, score):
    shape = (8, 9, 7)[:dims]
    net = smooth_segmenter(dims).double()
    model = Model(net, spatial_dims=dims, windows=Windows(roi=6, overlap=0.5, blend="gaussian"))
    p = Problem(model, random_case(shape), AllClasses(background=True, score=score), dtype=torch.float64)

    def output(x):
        z = stitched(net, x, model.windows).detach()
        return z if score == "logit" else z.softmax(0)

    labels = output(p.image).argmax(0)
    found = ActivationMaximization(steps=25, **STILL).attribute(p)
    for t in range(3):
        truth = output(found.values(t))[t][labels == t].mean()
        checks = found.answers[t].checks
        assert checks["score_reached"] == pytest.approx(float(truth), rel=1e-9)
        assert checks["score_reached"] > checks["score_start"]


def test_low_and_high_may_be_given():
    p, _ = weighted((8, 9))
    found = ActivationMaximization(steps=200, rate=0.3, low=-2.0, high=5.0, **STILL).attribute(p)
    assert -2 <= float(found.values(0).min()) < -1.5 and 4.5 < float(found.values(0).max()) <= 5


@pytest.mark.parametrize("dims", [2, 3])
def test_of_a_layers_channel_it_is_the_same_for_every_target(dims):
    """A convolution that sums with weights 1 and −1: the brightest image for one channel, the darkest for the other."""
    make = nn.Conv2d if dims == 2 else nn.Conv3d
    net = nn.Sequential(make(1, 2, 3, padding=1, bias=False), nn.Tanh(), make(2, 2, 1)).double()
    with torch.no_grad():
        net[0].weight[0], net[0].weight[1] = 1.0, -1.0
    model = Model(net, spatial_dims=dims, windows=Windows(roi=5, overlap=0.25))
    targets = [Voxel(index=(1, 2, 3)[:dims], class_name=c) for c in (0, 1)]
    p = Problem(model, random_case((7, 8, 6)[:dims]), targets, dtype=torch.float64)
    middle = float((p.image.min() + p.image.max()) / 2)
    for channel, sign in ((0, 1), (1, -1)):
        found = ActivationMaximization(steps=80, rate=0.2, layer="0", channel=channel).attribute(p)
        # voxels at the corners are seen least
        assert float((sign * (found.values(0) - middle) > 0).double().mean()) > 0.9
        assert torch.equal(found.values(0), found.values(1))
        assert "the same for every target" in found.answers[1].note
        assert found.answers[1].checks == found.answers[0].checks


def test_a_seed_fixes_it_and_other_targets_or_global_random_numbers_do_not_matter():
    net = smooth_segmenter(2).double()

    def run(targets, seed, manual):
        torch.manual_seed(manual)
        p = Problem(Model(net), random_case((9, 12)), targets, dtype=torch.float64, seed=seed)
        before = torch.random.get_rng_state()
        found = ActivationMaximization(steps=5).attribute(p).values("class-1")
        assert torch.equal(before, torch.random.get_rng_state())
        return found

    one = run("1", 3, 0)
    assert torch.equal(one, run("all+background", 3, 1))
    assert not torch.allclose(one, run("1", 4, 0))


def test_a_network_that_returns_no_gradient_is_said_to():
    net = smooth_segmenter(3)
    with torch.no_grad():
        net[0].weight.zero_()
    p = Problem(Model(net), random_case((6, 7, 5)), AllClasses(background=True))
    for chosen in (ActivationMaximization(steps=2), DeepDream(steps=1, layer="0")):
        found = chosen.attribute(p)
        assert {found.answers[t].status for t in p.present} == {"zero"}
        assert all("no gradient came back" in found.answers[t].note for t in p.present)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 4.0), (3.0, 1.0, 1.5)])
def test_the_starting_noise_has_unit_contrast_and_a_scale_in_millimetres(spacing):
    """Power falls with the square of the physical frequency: equal at equal mm⁻¹, whatever the axis."""
    shape = (32, 24, 20)
    powers, variances = 0.0, []
    for seed in range(12):
        image = torch.zeros((1, *shape), dtype=torch.float64)
        bounds = torch.tensor([-1e4], dtype=torch.float64), torch.tensor([1e4], dtype=torch.float64)
        rng = np.random.default_rng(seed)
        with torch.no_grad():
            x = Painting(image, *bounds, spacing, decorrelate=False, contrast=1e-3, rng=rng).image()[0]
        raw = x.numpy() / (2e4 / 4) / 1e-3  # the sigmoid's slope in its middle is 1/4
        variances.append(raw.var() + raw.mean() ** 2)
        powers = powers + np.abs(np.fft.fftn(raw)) ** 2 / 12
    assert np.mean(variances) == pytest.approx(1, abs=0.15)
    f = np.sqrt(
        sum(g**2 for g in np.meshgrid(*map(np.fft.fftfreq, shape, spacing), indexing="ij", sparse=True))
    )
    slope = np.polyfit(np.log(f[f > 0.1]), np.log(powers[f > 0.1]), 1)[0]
    assert slope == pytest.approx(-2, abs=0.2)
    # along each axis alone, the square of its frequency times the power is the same number
    flat = powers * f**2
    levels = [flat[2:10, 0, 0].mean(), flat[0, 2:10, 0].mean(), flat[0, 0, 2:10].mean()]
    assert max(levels) < 1.5 * min(levels)


def test_channels_are_correlated_as_in_the_image():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(2, 40, 40))
    image = torch.from_numpy(np.stack([base[0], 0.8 * base[0] + 0.6 * base[1], -base[1]]))
    bounds = torch.full((3,), -1e3, dtype=torch.float64), torch.full((3,), 1e3, dtype=torch.float64)
    found = {}
    for decorrelate in (True, False):
        pictures = []
        for seed in range(20):
            rng = np.random.default_rng(seed)
            one = Painting(image, *bounds, (1.0, 1.0), decorrelate=decorrelate, contrast=0.01, rng=rng)
            pictures.append(one.image().detach().flatten(1))
        found[decorrelate] = torch.corrcoef(torch.cat(pictures, 1))
    truth = torch.corrcoef(image.flatten(1))
    assert float((found[True] - truth).abs().max()) < 0.2
    assert abs(float(found[False][0, 1])) < 0.2 < float(truth[0, 1])


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 2.0, 3.0)])
def test_rotation_and_zoom_are_in_millimetres(spacing):
    """A ramp g · r seen at R r / s is the ramp g · R r / s; linear interpolation of a ramp is exact inside."""
    rng = np.random.default_rng(3)
    shape = (21, 13, 11)
    centres = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(shape, spacing, strict=True)]
    r = np.stack(np.meshgrid(*centres, indexing="ij"))
    g = np.array([1.0, -2.0, 0.5])
    image = torch.from_numpy(np.tensordot(g, r, 1))[None]
    move = Movement(jitter=0, rotate=8.0, zoom=0.1)
    found = move(image, spacing, rng)[0].numpy()
    # the same random numbers in the same order: shifts, angle, axis, zoom
    rng = np.random.default_rng(3)
    rng.integers(0, 1, size=3)
    angle = np.deg2rad(rng.uniform(-8, 8))
    matrix = rotation(angle, rng.standard_normal(3)) / (1 + rng.uniform(-0.1, 0.1))
    truth = np.tensordot(g, np.tensordot(matrix, r, 1), 1)
    inside = (slice(5, -5), slice(4, -4), slice(4, -4))
    np.testing.assert_allclose(found[inside], truth[inside], rtol=1e-9, atol=1e-9)
    assert abs(angle) > 0.01


def test_rotations_are_rotations():
    for axis in (None, np.array([1.0, 2.0, -0.5])):
        r = rotation(0.3, axis)
        np.testing.assert_allclose(r @ r.T, np.eye(len(r)), atol=1e-12)
        assert np.linalg.det(r) == pytest.approx(1)
    axis = np.array([1.0, 2.0, -0.5])
    np.testing.assert_allclose(rotation(0.3, axis) @ axis, axis, atol=1e-12)
    assert np.trace(rotation(0.3, axis)) == pytest.approx(1 + 2 * np.cos(0.3))


def test_the_optimiser_is_pytorchs_adam_on_slopes_of_unit_size():
    rng = torch.Generator().manual_seed(0)
    start = torch.rand((5, 4), generator=rng, dtype=torch.float64)
    mine, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    own, peer = Adam(mine, 0.1), torch.optim.Adam([theirs], lr=0.1, eps=1e-2)
    for _ in range(6):
        slope = torch.randn(start.shape, generator=rng, dtype=torch.float64)
        own.step(7 * slope)
        theirs.grad = slope / slope.square().mean().sqrt()
        peer.step()
    torch.testing.assert_close(mine, theirs)


def test_jitter_moves_whole_voxels_and_without_movement_nothing_is_touched():
    image = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 7, 9)))
    moved = Movement(3, 0.0, 0.0)(image, (1.0, 1.0), np.random.default_rng(2))
    rolls = {
        (i, j) for i in range(-3, 4) for j in range(-3, 4) if torch.equal(moved, image.roll((i, j), (1, 2)))
    }
    assert len(rolls) == 1 and rolls != {(0, 0)}
    assert Movement(0, 0.0, 0.0)(image, (1.0, 1.0), np.random.default_rng(1)) is image


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"steps": 0}, "steps=0"),
        ({"rate": 0.0}, "rate=0"),
        ({"contrast": -1.0}, "contrast=-1"),
        ({"jitter": -1}, "jitter=-1"),
        ({"rotate": 200.0}, "rotate=200"),
        ({"zoom": 1.0}, "zoom=1"),
        ({"layer": "0"}, "expected both or none"),
        ({"channel": 0}, "expected both or none"),
        ({"low": 2.0, "high": 1.0}, "low < high"),
    ],
)
def test_impossible_parameters_are_refused_on_creation(parameters, match):
    with pytest.raises(InputError, match=match):
        ActivationMaximization(**parameters)


def test_what_cannot_work_here_is_refused_before_anything_runs():
    net = smooth_segmenter(2)
    with pytest.raises(ModelError, match="no such layer"):
        ActivationMaximization(layer="9", channel=0).check(Model(net))
    flat = Problem(
        Model(net), Case("flat", np.ones((1, 6, 6), dtype=np.float32)), AllClasses(background=True)
    )
    for chosen in (ActivationMaximization(), DeepDream()):
        with pytest.raises(InputError, match="constant"):
            chosen.attribute(flat)
    assert ActivationMaximization(steps=2, low=0.0, high=2.0).attribute(flat).answers
    p = Problem(Model(net), random_case((6, 6)), AllClasses(background=True))
    with pytest.raises(InputError, match="channel 4, expected 0 to 3"):
        ActivationMaximization(layer="0", channel=4).attribute(p)
    assert not net[0]._forward_hooks


@pytest.mark.parametrize("setup", SETUPS)
def test_a_dream_has_more_of_what_the_layer_sees(setup):
    p, _ = build(setup)
    with torch.no_grad():
        a, _ = p.model.module[0](p.image[None]), None
    found = DeepDream(layer="0", steps=4, strength=0.02).attribute(p)
    checks = found.answers[0].checks
    assert checks["energy_start"] == pytest.approx(float((a**2).mean()), rel=1e-10)
    with torch.no_grad():
        reached = float((p.model.module[0](found.values(0)[None]) ** 2).mean())
    assert checks["energy_reached"] == pytest.approx(reached, rel=1e-10)
    assert reached > 1.1 * checks["energy_start"]
    flat = found.values(0).flatten(1)
    assert bool((flat.amin(1) >= p.image.flatten(1).amin(1)).all())
    assert bool((flat.amax(1) <= p.image.flatten(1).amax(1)).all())
    assert torch.equal(found.values(0), found.values(2))
    reached_scores = p.scores([found.values(0)])[0]
    assert [a.checks["score_reached"] for a in found.answers] == pytest.approx(reached_scores.tolist())


def test_one_step_of_a_dream_by_hand():
    """x + strength · range · g / mean|g|, within the range; g of the energy (3x)² / voxels is 18x / voxels."""
    net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Conv2d(1, 2, 1)).double()
    with torch.no_grad():
        net[0].weight.fill_(3.0)
    p = Problem(Model(net), random_case((6, 5)), AllClasses(background=True), dtype=torch.float64)
    found = DeepDream(layer="0", steps=1, octaves=1, strength=0.1, jitter=2).attribute(p).values(0)
    x = p.image
    step = 0.1 * (x.max() - x.min()) * x / x.abs().mean()
    torch.testing.assert_close(found, (x + step).clamp(x.min(), x.max()))


def test_what_was_dreamt_at_one_size_is_carried_to_the_next():
    """By hand as above, at half size and then at full size: g is a multiple of x at both, and so is its mirror's."""
    net = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.Conv2d(1, 2, 1)).double()
    p = Problem(Model(net), random_case((8, 6)), AllClasses(background=True), dtype=torch.float64)
    chosen = DeepDream(layer="0", steps=1, octaves=2, ratio=2.0, strength=0.03, jitter=0)
    x = p.image
    low, high = x.min(), x.max()
    pace = 0.03 * (high - low)
    small = resized(x, (4, 3))
    grown = (small + pace * small / small.abs().mean()).clamp(low, high)
    whole = x + resized(grown - small, (8, 6))
    truth = (whole + pace * whole / whole.abs().mean()).clamp(low, high)
    torch.testing.assert_close(chosen.attribute(p).values(0), truth)


def test_a_dream_works_on_networks_of_one_size_and_over_windows():
    torch.manual_seed(0)
    fixed = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 8 * 9, 2))
    model = Model(fixed, spatial_dims=2, fixed_shape=(8, 9), task="classification")
    found = DeepDream(layer="1", steps=3).attribute(Problem(model, random_case((8, 9)), AllClasses()))
    assert found.answers[0].checks["energy_reached"] > found.answers[0].checks["energy_start"]
    model = Model(smooth_segmenter(3), spatial_dims=3, windows=Windows(roi=6, overlap=0.5))
    p = Problem(model, random_case((8, 9, 7)), Voxel(index=(1, 1, 1), class_name=1))
    found = DeepDream(steps=3).attribute(p)
    assert found.answers[0].checks["energy_reached"] > found.answers[0].checks["energy_start"]
    assert "layer 1" in found.answers[0].note
    assert bool((found.values(0) != p.image).double().mean() > 0.9)  # far from the voxel too


def test_dreams_follow_the_seed():
    def run(seed):
        p = Problem(Model(classifier(2)), random_case((12, 12)), "1", seed=seed)
        return DeepDream(steps=3, layer="0").attribute(p).values(0)

    assert torch.equal(run(1), run(1))
    assert not torch.allclose(run(1), run(2))


def test_images_are_made_smaller_without_aliasing_and_continued_by_their_mirror():
    stripes = torch.arange(8.0).remainder(2).repeat(8, 1)[None]
    assert torch.equal(resized(stripes, (4, 4)), torch.full((1, 4, 4), 0.5))
    ramp = torch.arange(6.0)[None, :, None].expand(1, 6, 4)
    assert resized(resized(ramp, (3, 2)), (6, 4))[0, :, 0].tolist() == pytest.approx([0.5, 1, 2, 3, 4, 4.5])
    assert torch.equal(mirrored(ramp, (6, 4)), ramp)
    assert mirrored(ramp, (6, 9))[0, 0].shape == (9,)
    assert mirrored(torch.arange(3.0)[None, None], (1, 8))[0, 0].tolist() == [0, 1, 2, 2, 1, 0, 0, 1]


@pytest.mark.parametrize(
    "parameters", [{"steps": 0}, {"octaves": 0}, {"strength": 0.0}, {"ratio": 1.0}, {"jitter": -1}]
)
def test_impossible_dreams_are_refused_on_creation(parameters):
    with pytest.raises(InputError, match=f"{next(iter(parameters))}="):
        DeepDream(**parameters)


def test_a_synthetic_image_goes_home_without_being_rescaled():
    """On a grid of twice the voxel volume it keeps its values: they are intensities, not shares."""
    image = random_case((12, 12, 12)).image
    case = Case("c", image, Geometry(np.eye(4), (12, 12, 12)))
    from voxplain.model import Preparation

    p = Problem(Model(smooth_segmenter(3), prepare=Preparation(spacing=2)), case, "all+background")
    found = ActivationMaximization(steps=1, rate=1e-9, **STILL).attribute(p)
    t = p.present[0]
    inner = found.map(t)[0, 3:-3, 3:-3, 3:-3]
    assert float(inner.mean()) == pytest.approx(float(found.values(t).mean()), abs=0.05)
