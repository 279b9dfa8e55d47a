"""Guided integrated gradients: the published algorithm, written out slowly, and the axioms of any path."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import random_case, smooth_segmenter
from peers import SETUPS, build
from stitched import stitched
from torch import nn

from voxplain.attribution import IntegratedGradients, method
from voxplain.attribution.gradient.guided_ig import GuidedIntegratedGradients, advance
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses


def slow(gradient, x, b, steps, fraction, slack):
    """The algorithm in intensities, voxel by voxel, without a tensor operation: (C, *S) arrays -> (C, *S).

    At each of the equal steps of the L1 distance: voxels too far behind the straight line catch up; then, again and
    again, those of the not yet advanced ones with the smallest |gradient| (as many as the fraction says, and those
    equal to the last of them) go on to the furthest place allowed, the last ones just as far as is needed.
    """
    x, b = (np.asarray(v, dtype=float) for v in (x, b))
    cells = list(np.ndindex(x.shape))
    at = b.copy()
    out = np.zeros_like(x)
    whole = sum(abs(x[c] - b[c]) for c in cells)
    group = int(fraction * (len(cells) - 1)) + 1
    for step in range(steps):
        slope = gradient(at)
        share = (step + 1) / steps
        first, last = max(share - slack, 0.0), min(share + slack, 1.0)
        old = at.copy()
        for c in cells:
            behind = b[c] + first * (x[c] - b[c])
            if abs(at[c] - b[c]) < abs(behind - b[c]):
                at[c] = behind
        while True:
            left = sum(abs(x[c] - at[c]) for c in cells)
            needed = left - whole * (1 - share)
            end = {c: b[c] + last * (x[c] - b[c]) for c in cells}
            free = [c for c in cells if abs(end[c] - b[c]) - abs(at[c] - b[c]) > 1e-13]
            if needed <= 1e-12 or not free:
                break
            ranked = sorted(free, key=lambda c: abs(slope[c]))
            limit = abs(slope[ranked[min(group, len(ranked)) - 1]])
            chosen = [c for c in free if abs(slope[c]) <= limit]
            room = sum(abs(end[c] - at[c]) for c in chosen)
            for c in chosen:
                at[c] += min(needed / room, 1.0) * (end[c] - at[c])
        for c in cells:
            out[c] += slope[c] * (at[c] - old[c])
    return out


# one voxel at a time is slow, so in two dimensions only
PATHS = [
    pytest.param(s.values[0], fraction, slack, id=f"{s.id}-{fraction}-{slack}")
    for fraction, slack in [(0.25, 0.02), (0.1, 0.3), (0.4, 1.0), (1e-9, 0.1)]
    for s in SETUPS
    if fraction > 0.01 or s.values[0][0] == 2
]


@pytest.mark.parametrize(("setup", "fraction", "slack"), PATHS)
def test_it_is_the_published_algorithm(setup, fraction, slack):
    problem, scores = build(setup)
    found = GuidedIntegratedGradients(
        steps=4, fraction=fraction, max_distance=slack, rule="left", baseline=0.3
    ).attribute(problem)
    start = torch.full_like(problem.image, 0.3)
    for t in range(3 if fraction == 0.25 else 1):

        def gradient(at, t=t):
            x = torch.from_numpy(at).requires_grad_()
            return torch.autograd.grad(scores(x[None])[0, t], x)[0].numpy()

        truth = slow(gradient, problem.image.numpy(), start.numpy(), 4, fraction, slack)
        # where gradients almost tie, a processor's rounding decides which voxel moves first
        np.testing.assert_allclose(found.values(t).numpy(), truth, rtol=1e-7, atol=3e-4 * np.abs(truth).max())


@pytest.mark.parametrize("score", ["logit", "probability"])
def test_over_windows_the_path_follows_the_stitched_networks_gradient(score):
    net = smooth_segmenter(3).double()
    model = Model(net, spatial_dims=3, windows=Windows(roi=5, overlap=0.5, blend="gaussian"))
    p = Problem(model, random_case((6, 5, 7)), AllClasses(background=True, score=score), dtype=torch.float64)

    def output(x):
        z = stitched(net, x, model.windows)
        return z if score == "logit" else z.softmax(0)

    labels = output(p.image).argmax(0)  # softmax keeps the order
    found = GuidedIntegratedGradients(steps=3, rule="left", baseline=-1.0).attribute(p)
    for t in range(3):

        def gradient(at, t=t):
            x = torch.from_numpy(at).requires_grad_()
            return torch.autograd.grad(output(x)[t][labels == t].mean(), x)[0].numpy()

        start = np.full(p.image.shape, -1.0)
        truth = slow(gradient, p.image.numpy(), start, 3, 0.25, 0.02)
        np.testing.assert_allclose(found.values(t).numpy(), truth, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("rule", ["left", "trapezoid"])
@pytest.mark.parametrize("dims", [2, 3])
def test_of_a_linear_network_every_path_gives_the_same(dims, rule):
    """w · (x − b), which is integrated gradients' answer too."""
    make = nn.Conv2d if dims == 2 else nn.Conv3d
    torch.manual_seed(1)
    net = nn.Sequential(make(2, 3, 3, padding=1)).double()
    p = Problem(
        Model(net), random_case((6, 7, 5)[:dims], 2), AllClasses(background=True), dtype=torch.float64
    )
    found = GuidedIntegratedGradients(steps=7, rule=rule, max_distance=0.4).attribute(p)
    truth = IntegratedGradients(nodes=1).attribute(p)
    for t in p.present:
        torch.testing.assert_close(found.values(t), truth.values(t), rtol=1e-9, atol=1e-14)
        assert found.answers[t].checks["completeness_gap"] < 1e-10


@pytest.mark.parametrize(("rule", "extra"), [("left", 0), ("trapezoid", 1)])
@pytest.mark.parametrize("setup", SETUPS)
def test_without_slack_it_is_integrated_gradients(setup, rule, extra):
    """All voxels stay on the straight line, so that the quadrature is the rule of the same name."""
    p, _ = build(setup)
    found = GuidedIntegratedGradients(steps=6, max_distance=0.0, rule=rule, baseline=0.3).attribute(p)
    truth = IntegratedGradients(nodes=6 + extra, rule=rule, baseline=0.3).attribute(p)
    for t in range(3):
        torch.testing.assert_close(found.values(t), truth.values(t), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize(("rule", "order"), [("left", 1), ("trapezoid", 2)])
def test_what_is_missing_shrinks_with_the_steps(rule, order):
    """A rule of order p misses C / steps^p: at four times the steps 4^p times less, here at least half of that."""
    p, _ = build((2, "segmentation", 1))
    gaps = [
        np.mean(
            [
                a.checks["completeness_gap"]
                for a in GuidedIntegratedGradients(steps=n, max_distance=0.5, rule=rule).attribute(p).answers
            ]
        )
        for n in (8, 32)
    ]
    assert gaps[0] > 1e-5
    assert gaps[1] < 2 * gaps[0] / 4**order


@pytest.mark.parametrize("windows", [Windows(), Windows(roi=6, overlap=0.5)])
@pytest.mark.parametrize("score", ["logit", "margin", "log_probability", "probability"])
def test_it_is_complete_as_users_run_it(windows, score):
    targets = AllClasses(background=True, score=score)
    p = Problem(Model(smooth_segmenter(3), windows=windows), random_case((8, 7, 9)), targets)
    found = GuidedIntegratedGradients(steps=40, baseline="mean").attribute(p)
    ends = p.scores([p.image, torch.full_like(p.image, float(p.image.mean()))])
    for t, answer in enumerate(found.answers):
        difference = float(ends[0, t] - ends[1, t])
        gap = abs(float(found.values(t).double().sum()) - difference) / abs(difference)
        assert answer.checks["completeness_gap"] == pytest.approx(gap, rel=0.05, abs=2e-6)
        assert gap < 2e-3


def test_voxels_of_small_gradient_go_first():
    """By hand, ways of length 1, slopes 3, 1, 2, 4, one voxel at a time: where are they after a step?"""

    def go(done, goal, slack, fraction=1e-9, distance=(1, 1, 1, 1), slopes=(3, 1, 2, 4)):
        args = [torch.tensor([v], dtype=torch.float64) for v in (done, distance, slopes)]
        return advance(*args, goal, fraction, slack)[0].tolist()

    still = (0, 0, 0, 0)
    # a quarter of the whole way of 4 is 1: the flattest voxel goes all of it
    assert go(still, 0.25, 1.0) == [0, 1, 0, 0]
    # 3/8 are 1.5: the next one goes half
    assert go(still, 0.375, 1.0) == pytest.approx([0, 1, 0.5, 0])
    assert go((0, 1, 0, 0), 0.375, 1.0) == pytest.approx([0, 1, 0.5, 0])
    # not ahead of 0.35 nor behind 0.15: 0.6 for all to catch up, and 0.2 each for two voxels make 1
    assert go(still, 0.25, 0.1) == pytest.approx([0.15, 0.35, 0.35, 0.15])
    # two at a time (⌊0.34 · 3⌋ + 1): 1 is shared by the ways of 1 that the two flattest have
    assert go(still, 0.25, 1.0, fraction=0.34) == pytest.approx([0, 0.5, 0.5, 0])
    # equal slopes go together though one at a time was asked for
    assert go(still, 0.25, 1.0, slopes=(1, 1, 2, 1)) == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])
    # a voxel without a way does not count: 0.25 of 3 is 0.75
    assert go(still, 0.25, 1.0, distance=(1, 0, 1, 1))[2] == pytest.approx(0.75)
    # a way of length 2 takes twice the share: 0.25 of 5
    assert go(still, 0.25, 1.0, distance=(1, 2, 1, 1))[1] == pytest.approx(0.625)
    assert go((0, 1, 0.5, 0), 1.0, 0.1) == [1, 1, 1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_a_step_goes_as_far_as_it_should_and_never_back(seed):
    rng = torch.Generator().manual_seed(seed)
    distance = torch.rand((2, 40), generator=rng) * (torch.rand((2, 40), generator=rng) > 0.2)
    done = torch.zeros_like(distance)
    for step in range(1, 11):
        slopes = torch.rand(distance.shape, generator=rng).round(decimals=1)  # with ties
        after = advance(done, distance, slopes, step / 10, 0.2, 0.15)
        assert bool((after >= done - 1e-6).all())
        assert float((distance * after).sum()) == pytest.approx(step / 10 * float(distance.sum()), rel=1e-5)
        if step < 10:
            assert float(after[distance > 0].max()) <= step / 10 + 0.15 + 1e-6
            assert float(after.min()) >= step / 10 - 0.15 - 1e-6
        done = after
    assert bool((done == 1).all())


def test_steep_noise_on_the_way_is_avoided():
    """The paper's motive: F(a, b) = a · (1 + sin(8πb) · (1 − b) / 2) shakes in b while a is high, and F(1, 1) = 1.

    Going along b first, while a is still zero, never meets the shaking, so all of it belongs to a. On the straight
    line b gets ∫ α G'(α) dα = −∫ G(α) dα = −1 / 16π for the shaking G.
    """

    class Shaking(nn.Module):
        def forward(self, x):
            a, b = x[:, 0, 0, 0], x[:, 0, 0, 1]
            out = a * (1 + torch.sin(8 * torch.pi * b) * (1 - b) / 2)
            return torch.stack([out, -out], 1)

    image = np.ones((1, 1, 2), dtype=np.float32)
    model = Model(Shaking(), spatial_dims=2, task="classification", channels_in=1, fixed_shape=(1, 2))
    p = Problem(model, Case("one", image), "0", dtype=torch.float64)
    straight = IntegratedGradients(nodes=64, baseline=0.0).attribute(p).values(0)[0, 0]
    guided = GuidedIntegratedGradients(steps=64, fraction=1e-9, max_distance=1.0, baseline=0.0).attribute(p)
    free = guided.values(0)[0, 0]
    assert float(straight[1]) == pytest.approx(-1 / (16 * np.pi), rel=1e-6)
    assert free.tolist() == pytest.approx([1, 0], abs=1e-9)


def test_a_targets_path_does_not_depend_on_the_others():
    net = smooth_segmenter(2).double()
    chosen = GuidedIntegratedGradients(steps=4)
    one, three = (
        Problem(Model(net), random_case((7, 8)), t, dtype=torch.float64) for t in ("1", "all+background")
    )
    alone, together = chosen.attribute(one), chosen.attribute(three)
    assert torch.equal(alone.values(0), together.values("class-1"))
    # 5 gradients each, on one window: no target goes backwards for another
    assert (together.passes.forward, together.passes.backward) == (15 + 1, 15)


def test_a_rough_path_reports_its_gap():
    p, _ = build((2, "segmentation", 1))
    rough = method("guided_ig", steps=1, rule="left", baseline=3.0).attribute(p)
    assert any("use more steps" in a.note for a in rough.answers)


@pytest.mark.parametrize(
    "parameters",
    [{"steps": 0}, {"fraction": 0.0}, {"fraction": 1.1}, {"max_distance": -0.1}, {"rule": "right"}],
)
def test_impossible_parameters_are_refused_on_creation(parameters):
    with pytest.raises(InputError, match=f"{next(iter(parameters))}="):
        GuidedIntegratedGradients(**parameters)
