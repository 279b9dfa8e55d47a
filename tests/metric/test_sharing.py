"""What is shared: metrics with the same `sharing` pay once, and shared passes do not grow with the number of maps."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch
from networks import random_case, smooth_segmenter

from voxplain.attribution import Gradient, IntegratedGradients, method
from voxplain.case import Case
from voxplain.engine import Passes, Problem
from voxplain.metric import Candidate, judged, metric, metrics, null_candidates
from voxplain.model import Model, Windows
from voxplain.target import AllClasses

SHAPE = (9, 8)
# the ones whose passes all maps share, or that need none
SHARED = {
    "faithfulness_correlation": {"draws": 8},
    "monotonicity_correlation": {"draws": 8},
    "infidelity": {"draws": 8},
    "normalized_infidelity": {"draws": 8},
    "dummy_share": {},
    "completeness": {},
}
FAMILIES_APART = (
    "deletion",
    "insertion",
    "pixel_flipping",
    "region_perturbation",
    "irof",
    "road",
    "monotonicity",
)
RUN_AGAIN = (
    "sensitivity_max",
    "sensitivity_average",
    "rounding_stability",
    "mprt",
    "mprt_absolute",
    "mprt_ssim",
    "efficient_mprt",
)
SMALL = {
    "irof": {"supervoxels": 8},
    "road": {"steps": 3},
    "deletion": {"steps": 3},
    "insertion": {"steps": 3},
}


def problem() -> Problem:
    image = random_case(SHAPE).image
    case = Case(id="c", image=image, geometry=None, label=(image[0] > 0.3).astype(np.int32))
    model = Model(smooth_segmenter(2), spatial_dims=2, windows=Windows(roi=6, overlap=0.5))
    return Problem(model, case, AllClasses(background=True))


def paid(p: Problem, chosen, maps) -> Passes:
    """With its nulls, which may need passes too."""
    before = p.passes.copy()
    chosen.compute(p, [*maps, *null_candidates(p, chosen, 2)])
    return p.passes - before


def total(passes: Passes) -> int:
    return passes.forward + passes.backward


def test_every_metric_says_what_it_shares():
    for name, kind in metrics().items():
        assert kind.apart == (name in FAMILIES_APART or name in RUN_AGAIN or name == "faithfulness_estimate")
        one = kind()
        assert hash(one.sharing) == hash(kind().sharing)
        if "draws" in kind.__dataclass_fields__:
            assert metric(name, draws=9).sharing != metric(name, draws=10).sharing
    mine, other = np.zeros(SHAPE), np.ones(SHAPE)
    assert metric("auroc", mask=mine).sharing == metric("auroc", mask=mine.copy()).sharing
    assert metric("auroc", mask=mine).sharing != metric("auroc", mask=other).sharing


PAIRS = [
    (a, b)
    for a, b in combinations(sorted(metrics()), 2)
    if metric(a, **SMALL.get(a, {})).sharing == metric(b, **SMALL.get(b, {})).sharing
]


def test_the_pairs_are_those_that_were_meant():
    of = {name for pair in PAIRS for name in pair}
    assert {"deletion", "insertion", "mprt", "mprt_ssim", "sensitivity_max", "infidelity"} <= of
    assert ("infidelity", "monotonicity_correlation") in PAIRS and ("deletion", "insertion") in PAIRS
    assert "efficient_mprt" not in of and "rounding_stability" not in of


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_two_that_share_cost_less_together_than_alone(a, b):
    first, second = (metric(n, **SMALL.get(n, {})) for n in (a, b))

    def alone(chosen):
        p = problem()
        return total(paid(p, chosen, [judged(Gradient().attribute(p))]))

    p = problem()
    maps = [judged(Gradient().attribute(p))]
    together = total(paid(p, first, maps)) + total(paid(p, second, maps))
    assert 0 < together < alone(first) + alone(second)


@pytest.mark.parametrize("name", SHARED)
def test_shared_passes_do_not_grow_with_the_number_of_maps(name):
    def of(count):
        p, rng = problem(), np.random.default_rng(0)
        values = [torch.from_numpy(rng.normal(size=(1, *SHAPE))) for _ in range(count)]
        maps = [
            Candidate(f"m{k}", lambda _, v=v: v, frozenset(p.present), "share") for k, v in enumerate(values)
        ]
        return total(paid(p, metric(name, **SHARED[name]), maps))

    assert of(1) == of(10) > 0


def test_completeness_costs_the_scores_of_each_distinct_baseline():
    """By map: its own check is free; a slope and shares measured from nought need the baseline's score."""
    p = problem()
    p.clean_scores()
    one, each = metric("completeness"), total(p.cost(scores=1))
    ig = [IntegratedGradients(nodes=1, baseline=b).attribute(p) for b in (0.0, 0.0, 0.5, "mean")]
    assert total(paid(p, one, [judged(a) for a in ig])) == 0
    for attribution in ig:
        for answer in attribution.answers:
            answer.checks.clear()
        object.__setattr__(attribution.made_by, "trust", ())
    assert total(paid(p, one, [judged(a) for a in ig])) == 3 * each
    assert (
        total(paid(p, one, [judged(method("input_x_gradient").attribute(p))] * 4)) == 0
    )  # from nought, as two above


@pytest.mark.parametrize("name", [*FAMILIES_APART, *RUN_AGAIN])
def test_what_is_judged_apart_costs_about_as_much_as_together(name):
    """Two maps in two problems, against both in one: only ends, halves, orders of layers and one gradient are paid twice."""
    one = metric(name, **SMALL.get(name, {}))
    methods = [method("input_x_gradient"), IntegratedGradients(nodes=4)]

    def cost(chosen):
        p = problem()
        maps = [judged(m.attribute(p)) for m in chosen]
        before = p.passes.copy()
        one.compute(p, maps)
        return p.passes - before

    together, apart = cost(methods), cost(methods[:1]) + cost(methods[1:])
    p = problem()
    allowed = total(p.cost(scores=1 + 1 + 4, gradients=1)) + 1
    assert total(together) <= total(apart) <= total(together) + allowed
