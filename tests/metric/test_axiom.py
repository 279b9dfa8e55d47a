"""Sums and dummies: closed forms on linear networks, and the checks that methods bring."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from networks import classifier, random_case, smooth_segmenter
from torch import nn

from voxplain.attribution import (
    GradCam,
    Gradient,
    InputXGradient,
    IntegratedGradients,
    Occlusion,
    method,
)
from voxplain.case import Case
from voxplain.engine import Passes, Problem
from voxplain.errors import InputError
from voxplain.metric import Completeness, DummyShare, evaluate
from voxplain.metric.candidate import Candidate, judged
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, ClassScore, Mask


class Linear(nn.Module):
    """Logits 0 and w·x + 3; half of the weights are zero, so that half of the image is dummy voxels."""

    def __init__(self, shape: tuple[int, ...], seed: int = 0) -> None:
        super().__init__()
        weights = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, *shape))).float()
        weights[:, : shape[0] // 2] = 0
        self.weights = nn.Parameter(weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = (x * self.weights).flatten(1).sum(1, keepdim=True) + 3
        return torch.cat([torch.zeros_like(score), score], 1)


def linear(dims: int, **kwargs: object) -> Problem:
    shape = (8, 6, 5)[:dims]
    model = Model(Linear(shape), spatial_dims=dims, task="classification")
    return Problem(model, random_case(shape), [ClassScore(0), ClassScore(1)], **kwargs)


def segmentation(**kwargs: object) -> Problem:
    model = Model(
        smooth_segmenter(3), spatial_dims=3, task="segmentation", windows=Windows(roi=6, overlap=0.5)
    )
    return Problem(model, random_case((8, 9, 7)), AllClasses(background=True), **kwargs)


def only(metric, problem, candidate, target=1):
    return metric.compute(problem, [candidate])[0, target]


# ---- completeness ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [2, 3])
def test_the_gap_of_a_linear_network_by_its_closed_form(dims):
    problem = linear(dims, dtype=torch.float64)
    x, w = problem.image, problem.model.module.weights.detach().double()
    smallest = x.amin()
    # a slope claims w · (x − b), which is the whole difference, whatever the baseline
    for baseline in (None, 0.5, "mean"):
        assert (
            only(Completeness(baseline=baseline), problem, judged(Gradient().attribute(problem))).value < 1e-6
        )
    # input × gradient measures from zero, not from the default baseline: w · x against w · x
    assert only(Completeness(), problem, judged(InputXGradient().attribute(problem))).value < 1e-6
    # half of the right shares misses half; of shares measured from 0, what is left against another baseline
    shares = w * (x - smallest)
    half = Candidate("half", lambda _: shares / 2, frozenset([1]), "share")
    assert only(Completeness(), problem, half).value == pytest.approx(0.5, abs=1e-6)
    other = Candidate("other", lambda _: w * x, frozenset([1]), "share")
    expected = abs(float((w * smallest).sum())) / abs(float(shares.sum()))
    assert expected > 0.01
    assert only(Completeness(), problem, other).value == pytest.approx(expected, rel=1e-5)


def test_a_method_s_own_check_comes_first():
    problem = segmentation()
    attribution = IntegratedGradients(nodes=2, baseline=0.25).attribute(problem)
    before = problem.passes.copy()
    found = evaluate(problem, attribution, ["completeness"])
    for judgement in found.judgements:
        own = attribution.answers[judgement.target].checks["completeness_gap"]
        assert judgement.figure.value == own and 0 < own < 1
        assert judgement.nulls["zero"].value == 1.0 and judgement.tells
    assert problem.passes - before == Passes(0, 0)


def test_without_a_check_the_gap_is_against_the_method_s_own_baseline():
    problem = segmentation()
    attribution = IntegratedGradients(nodes=2, baseline=0.25).attribute(problem)
    expected = [a.checks.pop("completeness_gap") for a in attribution.answers]
    attribution.made_by.__class__.trust, kept = (), attribution.made_by.__class__.trust
    try:
        found = Completeness(baseline="mean").compute(problem, [judged(attribution)])
    finally:
        attribution.made_by.__class__.trust = kept
    assert [found[0, t].value for t in problem.present] == pytest.approx(expected, rel=1e-4)


def test_what_claims_no_sum_has_no_figure():
    problem = segmentation()
    maps = {
        "cam": GradCam(layer="0").attribute(problem),
        "occlusion": Occlusion(size=4).attribute(problem),
        "rise": method("rise", draws=6, cells=3).attribute(problem),
    }
    found = evaluate(problem, maps, ["completeness"])
    notes = {j.candidate: j.figure.note for j in found.judgements}
    # parts hidden one by one lose amounts of score, whose sum may well be asked about
    assert all(math.isnan(j.figure.value) == (j.candidate != "occlusion") for j in found.judgements)
    assert "do not add up" in notes["cam"] and "do not add up" in notes["rise"]
    attribution = IntegratedGradients(nodes=2).attribute(problem)
    for answer in attribution.answers:
        answer.checks.clear()
    assert "could not check" in only(Completeness(), problem, judged(attribution)).note


def test_no_difference_has_no_gap():
    problem = linear(2)  # class 0 has the score 0 everywhere
    shares = torch.ones((1, 8, 6))
    found = only(Completeness(), problem, Candidate("some", lambda _: shares, frozenset([0]), "share"), 0)
    assert math.isnan(found.value) and "nothing to share" in found.note
    attribution = IntegratedGradients(nodes=1).attribute(problem)
    attribution.answers[0].checks["completeness_gap"] = float("inf")
    assert "nothing to share" in only(Completeness(), problem, judged(attribution), 0).note


@pytest.mark.parametrize("score", ["logit", "probability"])
def test_completeness_costs_what_it_said(score):
    model = Model(
        smooth_segmenter(3), spatial_dims=3, task="segmentation", windows=Windows(roi=6, overlap=0.5)
    )
    problem = Problem(model, random_case((8, 9, 7)), AllClasses(background=True, score=score))
    maps = [judged(Gradient().attribute(problem)), judged(InputXGradient().attribute(problem))]
    for chosen, free in [
        (Completeness(), False),
        (Completeness(), True),
        (Completeness(baseline="mean"), False),
    ]:
        told, before = chosen.cost(problem, maps), problem.passes.copy()
        chosen.compute(problem, maps)
        assert problem.passes - before == told
        assert (told == Passes(0, 0)) == free
    with pytest.raises(InputError, match="baseline"):
        Completeness(baseline="nothing")


# ---- dummies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [2, 3])
def test_the_share_on_voxels_of_weight_zero(dims):
    problem = linear(dims)
    ones = torch.ones((1, *problem.spatial_shape))
    half = Candidate("even", lambda _: -ones, frozenset([1]), "rank")
    assert only(DummyShare(), problem, half).value == pytest.approx(0.5)
    exact = evaluate(
        problem, [Gradient().attribute(problem), InputXGradient().attribute(problem)], ["dummy_share"]
    )
    assert [j.figure.value for j in exact.judgements if j.target == 1] == [0.0, 0.0]
    assert all(j.tells for j in exact.judgements if j.target == 1)
    # class 0 sees nothing at all: every voxel is a dummy, and its map is zero
    assert all("zero everywhere" in j.figure.note for j in exact.judgements if j.target == 0)


def test_dead_voxels_are_those_outside_the_receptive_field_over_windows():
    shape = (12, 13)
    mask = np.zeros(shape, dtype=np.uint8)
    mask[3:5, 4:6] = 1
    model = Model(
        smooth_segmenter(2), spatial_dims=2, task="segmentation", windows=Windows(roi=8, overlap=0.5)
    )
    problem = Problem(model, random_case(shape), Mask(class_name=1, mask=mask))
    seen = np.zeros(shape, dtype=bool)
    seen[1:7, 2:8] = True  # two 3×3 convolutions reach two voxels
    values = np.random.default_rng(0).normal(size=(1, *shape))
    expected = np.abs(values[0][~seen]).sum() / np.abs(values).sum()
    candidate = Candidate("map", lambda _: torch.from_numpy(values), frozenset([0]), "rank")
    assert only(DummyShare(), problem, candidate, 0).value == pytest.approx(expected, rel=1e-6)
    assert only(DummyShare(), problem, judged(Gradient().attribute(problem)), 0).value == 0


def test_a_closed_relu_is_no_dummy():
    class Closed(nn.Module):
        def forward(self, x):
            score = nn.functional.relu(x - 1).flatten(1).sum(1, keepdim=True)
            return torch.cat([-score, score], 1)

    case = random_case((6, 6))  # noise about 0, so that most voxels lie below 1 now but not for good
    problem = Problem(Model(Closed(), spatial_dims=2, task="classification"), case, ClassScore(1))
    assert float((Gradient().attribute(problem).values(0) == 0).float().mean()) > 0.5
    ones = Candidate("even", lambda _: torch.ones((1, 6, 6)), frozenset([0]), "rank")
    found = only(DummyShare(draws=32), problem, ones, 0)
    assert math.isnan(found.value) and "every voxel" in found.note


@pytest.mark.parametrize("score", ["logit", "probability"])
def test_dummies_cost_what_was_said_and_are_found_once(score):
    model = Model(
        smooth_segmenter(3), spatial_dims=3, task="segmentation", windows=Windows(roi=6, overlap=0.5)
    )
    mask = np.zeros((8, 9, 7), dtype=np.uint8)
    mask[1, 1, 1] = 1
    problem = Problem(model, random_case((8, 9, 7)), Mask(class_name=1, mask=mask, score=score))
    ones = torch.ones((1, 8, 9, 7))
    maps = [Candidate("even", lambda _: ones, frozenset([0]), "rank")]
    for chosen in (DummyShare(), DummyShare(draws=2)):
        told, before = chosen.cost(problem, maps), problem.passes.copy()
        first = only(chosen, problem, maps[0], 0).value
        assert first == pytest.approx(
            1 - 4**3 / ones.numel()
        )  # what two 3×3×3 convolutions see from a corner
        assert problem.passes - before == told and told.backward > 0
        assert chosen.cost(problem, maps) == Passes(0, 0)
        assert only(chosen, problem, maps[0], 0).value == first
        assert problem.passes - before == told


def test_a_constant_image_is_shaken_too():
    case = random_case((6, 6))
    case.image[...] = 2.0
    problem = Problem(Model(classifier(2), spatial_dims=2, task="classification"), case, ClassScore(1))
    ones = Candidate("even", lambda _: torch.ones((1, 6, 6)), frozenset([0]), "rank")
    assert "every voxel" in only(DummyShare(), problem, ones, 0).note
    for parameters in ({"draws": 0}, {"sigma": 0.0}, {"sigma": float("nan")}):
        with pytest.raises(InputError, match="found"):
            DummyShare(**parameters)


class Calm(nn.Module):
    """Open where the image is calm; strong noise closes it, so that only the image itself shows what it depends on."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = nn.functional.avg_pool2d(x, 3, 1, 1)
        unrest = nn.functional.avg_pool2d((x - mean) ** 2, 3, 1, 1)
        return torch.stack([torch.relu(0.02 - unrest).mean((1, 2, 3)) * 100, 0 * x.mean((1, 2, 3))], 1)


def test_a_voxel_with_a_gradient_at_the_image_is_not_dead():
    grid = torch.linspace(-1, 1, 24)
    blob = (-(grid[:, None] ** 2 + grid[None] ** 2)).exp()[None].numpy()
    problem = Problem(Model(Calm(), spatial_dims=2), Case("blob", blob, None), ClassScore(0))
    maps = Gradient().attribute(problem)
    assert (maps.values(0) != 0).float().mean() > 0.9
    found = only(DummyShare(), problem, judged(maps), 0)
    assert math.isnan(found.value) or found.value == 0
