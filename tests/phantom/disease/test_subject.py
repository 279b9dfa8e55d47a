"""The disease phantom: an exact map between a subject's two images, and rules that read one part of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.ndimage import map_coordinates

from voxplain.errors import InputError
from voxplain.phantom import DISEASE_CLASSES, diseased_subject
from voxplain.phantom.disease import CornerMark
from voxplain.phantom.disease.flow import Bump, flow
from voxplain.phantom.disease.rules import RULES, SizeRule, windows

VENTRICLE, NUCLEUS = (DISEASE_CLASSES.index(name) for name in ("ventricle", "nucleus"))
BUMPS = [Bump((-5.0, 2.0, 0.0), 0.45, 6.0), Bump((7.0, 0.0, 1.0), -0.5, 5.0)]


@pytest.mark.parametrize("dose", [1.0, -0.8])
def test_the_flow_is_scipys(dose):
    start = np.random.default_rng(0).uniform(-12, 12, (3, 20))
    there, _ = flow(BUMPS, start, dose, 3)

    def velocity(_, y):
        points = y.reshape(3, -1)
        return sum(b.velocity(points) for b in BUMPS).ravel()

    wanted = solve_ivp(velocity, (0, dose), start.ravel(), rtol=1e-10, atol=1e-10).y[:, -1].reshape(3, -1)
    assert np.abs(there - wanted).max() < 1e-4


@pytest.mark.parametrize("dims", [2, 3])
def test_growth_on_the_way_is_the_determinant(dims):
    bumps = [Bump((*b.center[:2], 0.0), b.rate, b.sigma) for b in BUMPS] if dims == 2 else BUMPS
    start = np.random.default_rng(1).uniform(-12, 12, (3, 20))
    start[dims:] = 0.0
    _, growth = flow(bumps, start, 0.9, dims)
    step, columns = 1e-4, []
    for axis in range(dims):
        away = np.zeros((3, 1))
        away[axis] = step
        ends = [flow(bumps, start + sign * away, 0.9, dims)[0] for sign in (1, -1)]
        columns.append((ends[0] - ends[1])[:dims] / (2 * step))
    determinant = np.linalg.det(np.stack(columns).transpose(2, 1, 0))
    assert np.abs(np.log(determinant) - growth).max() < 1e-4


@pytest.mark.parametrize("shape", [(64, 64), (40, 40, 40)])
def test_the_diseased_image_is_the_healthy_one_moved_by_the_truth(shape):
    pair = diseased_subject(shape, seed=1, subject=2, noise=0.0)
    recovery, _ = pair.truth("healthy")  # from where each diseased voxel's tissue comes
    places = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")) + recovery
    moved = map_coordinates(pair.healthy.image[0], places, order=3, mode="nearest")
    untouched = np.abs(pair.healthy.image[0] - pair.diseased.image[0])
    assert np.abs(moved - pair.diseased.image[0]).mean() < 0.05 * untouched.mean()


def test_both_directions_are_inverse_maps():
    pair = diseased_subject((48, 48), seed=1)
    there, growth = pair.truth("disease")
    back, shrinkage = pair.truth("healthy")
    ends = np.stack(np.meshgrid(*[np.arange(48.0)] * 2, indexing="ij")) + there
    home = there + np.stack([map_coordinates(b, ends, order=3) for b in back])
    assert np.abs(home).max() < 0.01
    assert np.abs(growth + map_coordinates(shrinkage, ends, order=3)).max() < 0.01


@pytest.mark.parametrize("shape", [(64, 64), (32, 32, 32)])
def test_the_ventricle_grows_and_the_nucleus_shrinks_by_the_truth(shape):
    pair = diseased_subject(shape, seed=3, severity=1.0)
    _, logarithm = pair.truth("disease")
    for label, sign in ((VENTRICLE, 1), (NUCLEUS, -1)):
        before, after = ((case.label == label).sum() for case in (pair.healthy, pair.diseased))
        growth = np.exp(logarithm[pair.healthy.label == label]).mean()
        assert after / before == pytest.approx(growth, rel=0.12)  # voxels are counted whole
        assert sign * np.log(growth) > 0.3


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_side_alone_leaves_the_other_as_it_is(side):
    pair = diseased_subject((32, 32), seed=0, sides=side)
    far = slice(20, None) if side == "left" else slice(None, 12)
    assert np.abs(pair.truth()[1][far]).max() < 0.02
    assert np.abs(pair.truth()[1]).max() > 0.3
    both = diseased_subject((32, 32), seed=0)
    other = "right" if side == "left" else "left"
    assert np.allclose(both.truth(sides=side)[1], pair.truth()[1])
    assert not pair.truth(sides=other)[1].any()


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "ARS"])
def test_the_anatomy_is_the_same_on_any_grid(orientation):
    wanted = diseased_subject((24, 24, 24), seed=5, noise=0.0)
    turned = diseased_subject((24, 24, 24), seed=5, noise=0.0, orientation=orientation)
    order = ["RL", "AP", "SI"]
    axes = [next(i for i, letter in enumerate(orientation) if letter in pair) for pair in order]
    flips = [a for a, pair in enumerate(order) if orientation[axes[a]] == pair[1]]
    back = np.flip(np.transpose(turned.diseased.image[0], axes), flips)
    assert np.abs(back - wanted.diseased.image[0]).max() < 1e-3
    motion = np.flip(np.transpose(turned.truth()[0], [0, *(1 + a for a in axes)]), [1 + f for f in flips])[
        axes
    ]
    motion[flips] *= -1
    assert np.abs(motion - wanted.truth()[0]).max() < 1e-3


def test_seeds_decide_and_severity_scales():
    one, same, other = (diseased_subject((16, 16), seed=s, subject=1) for s in (0, 0, 1))
    assert np.array_equal(one.diseased.image, same.diseased.image)
    assert not np.array_equal(one.diseased.image, other.diseased.image)
    assert np.array_equal(
        one.healthy.image - one.noise_free[0], one.healthy.image - one.noise_free[0]
    ) and np.allclose(
        one.healthy.image[0] - one.noise_free[0], one.diseased.image[0] - one.noise_free[1], atol=1e-6
    )
    none = diseased_subject((16, 16), seed=0, subject=1, severity=0.0)
    assert np.array_equal(none.healthy.image, none.diseased.image)
    assert not none.truth()[0].any()
    drawn = [diseased_subject((8, 8), seed=0, subject=i).severity for i in range(30)]
    assert 0.7 <= min(drawn) < 0.85
    assert 1.15 < max(drawn) <= 1.3


@pytest.fixture(scope="module")
def groups():
    pairs = [diseased_subject((32, 32), seed=11, subject=i) for i in range(80)]
    return [np.stack([getattr(p, name).image for p in pairs]) for name in ("healthy", "diseased")]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_tells_new_subjects_apart_and_reads_its_own_side_alone(groups, rule):
    healthy, diseased = groups
    model = SizeRule.fitted(rule, healthy[:40], diseased[:40])
    logits = [model.logit(torch.from_numpy(group)) for group in groups]
    assert torch.allclose(torch.stack([z[:40].mean() for z in logits]), torch.tensor([-4.0, 4.0]), atol=1e-3)
    accuracy = ((logits[0][40:] < 0).float().mean() + (logits[1][40:] > 0).float().mean()) / 2
    assert accuracy > 0.85
    x = torch.from_numpy(diseased[:4]).requires_grad_()
    out = model(x)
    assert torch.allclose(out[:, 1] - out[:, 0], model.logit(x))
    (slope,) = torch.autograd.grad(out[:, 1].sum(), x)
    middle = slope.abs().sum((0, 1))
    inside = {"left": middle[:15].sum(), "right": middle[17:].sum()}
    for side, amount in inside.items():
        assert amount / middle.sum() < 0.02 if side not in RULES[rule] else amount / middle.sum() > 0.3


def test_a_rule_is_its_formula(groups):
    x = groups[0][:3]
    model = SizeRule("both", windows((32, 32), ("left", "right")), [20.0, 15.0], [5.0, 4.0], gain=3.0)
    left, right = windows((32, 32), ("left", "right")).astype(np.float64)
    ventricle = (left / (1 + np.exp(-(0.375 - x[:, 0]) / 0.05))).sum((1, 2))
    nucleus = (right / (1 + np.exp(-(x[:, 0] - 0.725) / 0.05))).sum((1, 2))
    wanted = 3.0 * ((ventricle - 20) / 5 - (nucleus - 15) / 4) / 2
    assert np.allclose(model.logit(torch.from_numpy(x)).numpy(), wanted, atol=1e-3)


@pytest.mark.parametrize("shape", [(32, 32), (24, 24, 24)])
def test_a_mark_goes_with_the_disease_and_stays_in_its_corner(shape):
    pair, mark = diseased_subject(shape, seed=0, noise=0.0), CornerMark(healthy=0.1, diseased=0.9)
    marked = mark.on(pair.healthy)
    changed = marked.image[0] != pair.healthy.image[0]
    assert changed.any()
    assert marked.image.max() >= 0.7
    assert all(index.max() < 0.25 * n for index, n in zip(np.nonzero(changed), shape, strict=True))
    shares = [np.mean([mark.has(i, ill=ill) for i in range(400)]) for ill in (False, True)]
    assert shares == pytest.approx([0.1, 0.9], abs=0.05)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"sides": "lft"}, "sides: 'lft' is unknown; did you mean 'left'"),
        ({"severity": (1.0, 0.5)}, "severity: .* is not usable"),
        ({"noise": -1}, "noise: -1 is not usable"),
        ({"shape": (3,)}, "shape"),
    ],
)
def test_what_cannot_be_is_told(given, says):
    with pytest.raises(InputError, match=says):
        diseased_subject(**{"seed": 0, **given})
    with pytest.raises(InputError, match="rule: 'lefd' is unknown"):
        SizeRule.fitted("lefd", np.zeros((1, 1, 4, 4)), np.zeros((1, 1, 4, 4)))
    with pytest.raises(InputError, match="towards: found 'ill'"):
        diseased_subject((8, 8), seed=0).truth("ill")
    with pytest.raises(InputError, match="healthy: 2 is no chance"):
        CornerMark(healthy=2)
