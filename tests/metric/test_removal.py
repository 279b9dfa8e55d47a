"""What maps say that removals cost, against what they cost: closed forms, brute force and Captum."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from captum.metrics import infidelity as captum_infidelity
from networks import classifier, random_case, smooth_segmenter
from scipy import stats
from torch import nn

from voxplain.attribution import GradCam, Gradient, InputXGradient, IntegratedGradients, Occlusion
from voxplain.engine import Problem
from voxplain.engine.coarse import CoarseMasks
from voxplain.errors import InputError
from voxplain.metric import Candidate, evaluate, judged, removal
from voxplain.metric.faithfulness.correlation import FaithfulnessCorrelation, MonotonicityCorrelation
from voxplain.metric.faithfulness.infidelity import Infidelity, NormalizedInfidelity
from voxplain.metric.removal import removals, removed_sums
from voxplain.model import Model, Windows

KINDS = (Infidelity, NormalizedInfidelity, FaithfulnessCorrelation, MonotonicityCorrelation)
NAMES = [k.name for k in KINDS]
SETUPS = [
    (dims, task, windows)
    for dims in (2, 3)
    for task, windows in (("seg", False), ("seg", True), ("class", False))
]


def build(dims: int, task: str, windows: bool, net: nn.Module | None = None) -> Problem:
    torch.manual_seed(0)
    shape = (12, 10, 9)[:dims]
    net = net or (smooth_segmenter(dims, 2) if task == "seg" else classifier(dims, 2))
    model = Model(
        net.double(),
        spatial_dims=dims,
        channels_in=2,
        windows=Windows(roi=7, overlap=0.3) if windows else None,
    )
    asked = "all+background" if task == "seg" else ["predicted"]
    return Problem(model, random_case(shape, 2), asked, dtype=torch.float64)


def linear(dims: int) -> Problem:
    """The mean logit over a region is linear in the image, whatever the convolution."""
    make = nn.Conv2d if dims == 2 else nn.Conv3d
    torch.manual_seed(1)
    return build(dims, "seg", False, make(2, 3, 3, padding=1))


@pytest.mark.parametrize(("dims", "task", "windows"), SETUPS)
def test_the_effects_are_those_of_images_changed_by_hand(dims, task, windows):
    problem = build(dims, task, windows)
    made = removals(problem, draws=8, cells=3, keep=0.6, baseline=0.5)
    whole = tuple(slice(0, s) for s in problem.spatial_shape)
    for draw in (0, 5):
        mask = made.masks.box(draw, whole)
        changed = mask * problem.image + (1 - mask) * 0.5
        truth = problem.clean_scores() - problem.scores([changed])[0]
        torch.testing.assert_close(made.effects[draw], truth, rtol=1e-9, atol=1e-12)
    assert 0.2 < float(torch.stack([made.masks.box(d, whole) for d in range(8)]).mean()) < 0.9


@pytest.mark.parametrize("slab", [1, 64 << 20])
@pytest.mark.parametrize(
    ("shape", "cell"),
    [((12, 10), (4, 4)), ((9, 7, 11), (3, 2, 5)), ((5, 1, 6), (5, 1, 6)), ((13, 2), (1, 1))],
)
def test_sums_over_what_is_removed_are_those_over_voxels(shape, cell, slab, monkeypatch):
    monkeypatch.setattr(removal, "SLAB_BYTES", slab)
    masks = CoarseMasks(shape, cell, 0.6, 3)
    claim = torch.from_numpy(np.random.default_rng(0).normal(size=shape))
    whole = tuple(slice(0, s) for s in shape)
    truth = [float((claim * (1 - masks.box(d, whole))).sum()) for d in range(9)]
    assert removed_sums(masks, claim, 9).tolist() == pytest.approx(truth, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(
    "make", [Gradient(), InputXGradient(), IntegratedGradients(nodes=1, baseline="minimum")]
)
def test_on_a_linear_network_the_exact_map_is_exact_and_zeros_do_not_win(dims, make):
    """Σ a·Δ is F's change for the gradient; x·∂F/∂x shares F out among the voxels, which a removal to 0 takes away."""
    problem = linear(dims)
    baseline = "minimum" if isinstance(make, IntegratedGradients) else 0.0
    attribution = make.attribute(problem)
    found = evaluate(problem, attribution, [k(draws=16, cells=4, baseline=baseline) for k in KINDS])
    for j in found.judgements:
        best, worst = {"lower": (0.0, j.nulls["zero"].value), "higher": (1.0, 0.0)}[j.metric.better]
        assert j.figure.value == pytest.approx(best, abs=1e-9)
        assert j.nulls["zero"].value == pytest.approx(worst, abs=1e-12) and worst != best
        assert j.tells


@pytest.mark.parametrize(("dims", "task", "windows"), SETUPS)
def test_infidelity_is_captums_at_the_same_removals(dims, task, windows):
    """Captum asks per sample for (x − x′, x′) and averages (Σ a·(x − x′) − (F(x) − F(x′)))²."""
    problem = build(dims, task, windows)
    attribution = Gradient().attribute(problem)
    made = removals(problem, draws=8, cells=3, keep=0.6, baseline=0.5)
    whole = tuple(slice(0, s) for s in problem.spatial_shape)
    masks = iter([made.masks.box(d, whole) for d in range(8)])
    t = problem.present[-1]

    def forward(x):
        return torch.stack([problem.scores([one])[0, t] for one in x])

    def perturb(x):
        changed = torch.stack([m * one + (1 - m) * 0.5 for one in x for m in [next(masks)]])
        return x - changed, changed

    theirs = captum_infidelity(
        forward,
        perturb,
        problem.image[None],
        attribution.values(t)[None],
        n_perturb_samples=8,
        max_examples_per_batch=8,
        normalize=False,
    )
    ours = Infidelity(draws=8, cells=3, keep=0.6, baseline=0.5).compute(problem, [judged(attribution)])
    assert ours[0, t].value == pytest.approx(float(theirs), rel=1e-9)


def test_correlations_and_the_best_scale_are_those_of_scipy_and_least_squares():
    problem = build(2, "seg", False)
    attribution = Gradient().attribute(problem)
    asked = {"draws": 20, "cells": 3, "keep": 0.6, "baseline": 0.5}
    made = removals(problem, **asked)
    for t in problem.present:
        p = made.predicted(problem, judged(attribution), t).numpy()
        e = made.effects[:, t].numpy()
        slope = max(np.linalg.lstsq(p[:, None], e, rcond=None)[0][0], 0.0)
        truths = (
            np.mean((p - e) ** 2),
            np.sum((slope * p - e) ** 2) / np.sum(e**2),
            stats.pearsonr(p, e).statistic,
            stats.spearmanr(p, e).statistic,
        )
        for kind, truth in zip(KINDS, truths, strict=True):
            found = kind(**asked).compute(problem, [judged(attribution)])[0, t]
            assert found.value == pytest.approx(truth, rel=1e-9)
            low, high = found.interval
            assert low <= found.value <= high


def test_a_map_of_the_wrong_sign_is_as_bad_as_zeros_and_no_better():
    problem = linear(2)
    right = Gradient().attribute(problem)
    wrong = Candidate("wrong", lambda t: -right.values(t), frozenset(problem.present), "slope")
    found = NormalizedInfidelity(draws=16, cells=4, baseline=0.0).compute(problem, [wrong])
    assert all(f.value == pytest.approx(1.0) for f in found.values())


class Shortcut(nn.Module):
    """Decides by a few voxels in one corner, and by nothing else."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        corner = x[(slice(None), 0, *(slice(1, 4),) * self.dims)].flatten(1).sum(1)
        return torch.stack([corner.tanh(), -corner.tanh()], 1)


@pytest.mark.parametrize("dims", [2, 3])
def test_the_right_map_of_a_shortcut_beats_its_permutation(dims):
    problem = build(dims, "class", False, Shortcut(dims))
    right = IntegratedGradients(nodes=16, baseline=0.0).attribute(problem)
    order = torch.randperm(right.values(0)[0].numel(), generator=torch.Generator().manual_seed(0))

    def moved(t):
        values = right.values(t)
        return values.flatten(1)[:, order].reshape(values.shape)

    there = frozenset(problem.present)
    both = [judged(right), Candidate("moved", moved, there, "share")]
    for kind in KINDS:
        found = kind(draws=64, cells=4, baseline=0.0).compute(problem, both)
        assert found[0, 0].beats(found[1, 0], higher=kind.better == "higher"), kind.name


@pytest.mark.parametrize("windows", [False, True])
def test_passes_are_paid_once_for_all_metrics_maps_and_targets(windows):
    problem = build(2, "seg", windows)
    maps = [Gradient().attribute(problem), Occlusion(size=4).attribute(problem)]
    metric = FaithfulnessCorrelation(draws=8)
    told = metric.cost(problem, [judged(maps[0])])
    assert told == metric.cost(problem, [judged(m) for m in maps])
    before = problem.passes.copy()
    evaluate(problem, maps, [kind(draws=8) for kind in KINDS])
    assert problem.passes - before == told
    assert metric.cost(problem, []).forward == 0


def test_the_same_seed_gives_the_same_figures_bit_for_bit():
    rows = [
        evaluate(p, Gradient().attribute(p), NAMES).rows()
        for p in (build(2, "seg", False), build(2, "seg", False))
    ]
    assert repr(rows[0]) == repr(rows[1])


def test_a_map_without_a_unit_has_no_infidelity_and_says_so():
    problem = build(2, "seg", False)
    found = evaluate(
        problem, GradCam(layer="0").attribute(problem), ["infidelity", "faithfulness_correlation"]
    )
    values = {j.metric.name: j for j in found.judgements if j.target == 0}
    assert math.isnan(values["infidelity"].figure.value) and "no unit" in values["infidelity"].remark
    assert not math.isnan(values["faithfulness_correlation"].figure.value)


def test_a_score_that_nothing_changes_has_no_figure():
    net = nn.Conv2d(2, 2, 1)
    nn.init.zeros_(net.weight)
    problem = build(2, "seg", False, net)
    zeros = Candidate("zeros", lambda _: torch.zeros(1, 12, 10), frozenset(problem.present), "share")
    found = FaithfulnessCorrelation(draws=8).compute(problem, [zeros])
    assert all(math.isnan(f.value) and "no removal changed the score" in f.note for f in found.values())


@pytest.mark.parametrize("wrong", [{"draws": 3}, {"cells": 1}, {"keep": 1.0}, {"baseline": "blurry"}])
def test_impossible_parameters_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Infidelity(**wrong)


class Constant(nn.Module):
    """The mean over an InstanceNorm's output, which is zero but for rounding whatever the image."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.InstanceNorm2d(4))
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(x).mean((2, 3)))


def test_effects_of_rounding_are_no_figures():
    problem = Problem(Model(Constant(), spatial_dims=2), random_case((12, 10)), ["predicted"])
    some = Candidate("some", lambda _: torch.rand(1, 12, 10), frozenset(problem.present), "share")
    for kind in KINDS:
        found = kind(draws=16, cells=3).compute(problem, [some])[0, 0]
        assert math.isnan(found.value) and "no removal changed the score" in found.note


def test_one_metric_with_two_settings_is_refused_and_settings_are_told():
    problem = build(2, "class", False)
    maps = Gradient().attribute(problem)
    with pytest.raises(InputError, match="2 times"):
        evaluate(problem, maps, [Infidelity(draws=8), Infidelity(draws=9)])
    (row,) = evaluate(problem, maps, [Infidelity(draws=8)]).rows()
    assert '"draws": 8' in row["parameters"]
    other = build(2, "class", False, classifier(2, 2, seed=1))
    assert (
        evaluate(other, Gradient().attribute(other), [Infidelity(draws=8)]).rows()[0]["network"]
        != row["network"]
    )
