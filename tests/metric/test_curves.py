"""Curves of removal in the order of a map: closed forms by hand, brute force over whole images, what they must rank."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from networks import classifier, random_case, smooth_segmenter
from stitched import stitched
from torch import nn

from voxplain.attribution import method
from voxplain.attribution.regions import supervoxels
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.engine.passes import Passes
from voxplain.errors import InputError
from voxplain.metric import evaluate, metric
from voxplain.metric.candidate import Candidate
from voxplain.metric.faithfulness import by_order, ladder
from voxplain.metric.faithfulness.filling import filling
from voxplain.metric.faithfulness.order import random_order
from voxplain.metric.nulls import null, null_candidates
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, ClassScore, PredictedRegion

NAMES = [
    "deletion",
    "insertion",
    "pixel_flipping",
    "region_perturbation",
    "irof",
    "road",
    "monotonicity",
    "faithfulness_estimate",
]


class Linear(nn.Module):
    """(N, C, *S) -> (N, 2): −Σ w x / 2 and Σ w x / 2."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(torch.as_tensor(weights))

    def forward(self, x):
        s = (x * self.weights).flatten(1).sum(1, keepdim=True) / 2
        return torch.cat([-s, s], 1)


class Shortcut(nn.Module):
    """Class 1 where the three planted voxels are bright together; the rest of the image does not matter."""

    def __init__(self, where, shape):
        super().__init__()
        self.mask = nn.Parameter(torch.zeros(shape, dtype=torch.float64))
        with torch.no_grad():
            for place in where:
                self.mask[(0, *place)] = 1.0

    def forward(self, x):
        s = torch.tanh((x * self.mask).flatten(1).sum(1, keepdim=True))
        return torch.cat([-s, s], 1)


def linear(image, weights, **kwargs):
    image = np.asarray(image, dtype=np.float32)
    model = Model(
        Linear(np.asarray(weights, dtype=np.float64)), spatial_dims=image.ndim - 1, task="classification"
    )
    return Problem(model, Case("linear", image, None, None, {}), ClassScore(1), dtype=torch.float64, **kwargs)


def given(values, name="given", meaning="share", targets=(0,)):
    """A candidate of maps by target."""
    return Candidate(name, lambda t: torch.as_tensor(values[t]), frozenset(targets), meaning)


def figure(problem, values, name, **parameters):
    return metric(name, **parameters).compute(problem, [given([values])])[0, 0]


# --- closed forms: image 1 2 3 4, weights 1 2 3 4 / … so that F = Σ w x = 1 + 4 + 9 + 16 = 30 (halved: 15)


IMAGE = [[[1.0, 2.0], [3.0, 4.0]]]
SHARES = np.array([[[1.0, 4.0], [9.0, 16.0]]])
FOUR = {"steps": 4, "schedule": "linear", "baseline": 0.0}
# without 16, 9, 4, 1 in turn, of 30: 30 14 5 1 0; only 16, then 9 …: 0 16 25 29 30;
# without 1, 4, 9, 16: 30 29 25 16 0
MORF, KEPT, LERF = (
    [n / 30 for n in row] for row in ([30, 14, 5, 1, 0], [0, 16, 25, 29, 30], [30, 29, 25, 16, 0])
)


@pytest.mark.parametrize(
    ("name", "parameters", "value", "curve"),
    [
        ("deletion", {}, 7 / 24, MORF),  # ((30 + 0) / 2 + 14 + 5 + 1) / 30 / 4 = 35 / 120
        ("insertion", {}, 17 / 24, KEPT),  # ((0 + 30) / 2 + 16 + 25 + 29) / 120
        ("pixel_flipping", {}, 17 / 24, MORF),  # 1 − 7/24
        ("pixel_flipping", {"order": "lerf"}, 17 / 24, LERF),  # (15 + 29 + 25 + 16) / 120
        ("pixel_flipping", {"order": "both"}, 10 / 24, [b - a for a, b in zip(MORF, LERF, strict=True)]),
        ("region_perturbation", {"size": 1}, 2 / 3, MORF),  # (0 + 16 + 25 + 29 + 30) / 30 / 5
        (
            "region_perturbation",
            {"size": (1, 2)},
            25 / 60,
            [1, 5 / 30, 0],
        ),  # rows 25, then 5: steps at 1 and 2 of 2
        ("monotonicity", {}, 1.0, [15 * c for c in reversed(MORF)]),
        ("faithfulness_estimate", {}, 1.0, [8.0, 4.5, 2.0, 0.5]),
    ],
)
def test_four_voxels_by_hand(name, parameters, value, curve):
    if parameters.get("size") == (1, 2):
        # AOPC of 3 readings: (0 + 25/30 + 1) / 3
        value = (25 / 30 + 1) / 3
    found = figure(linear(IMAGE, IMAGE), SHARES, name, **FOUR, **parameters)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.curve == pytest.approx(curve, rel=1e-12, abs=1e-12)
    assert found.replicates is None


def test_a_negative_score_keeps_the_direction():
    """F = −15: clean at −1. Most in favour first is 1, 4, 9, 16 of 30: −1 is left at −29, −25, −16, 0 of 30."""
    problem = linear(IMAGE, np.negative(IMAGE))
    best = figure(problem, -SHARES, "deletion", **FOUR)
    assert best.curve == pytest.approx([-1, -29 / 30, -25 / 30, -16 / 30, 0])
    assert best.value < figure(problem, SHARES, "deletion", **FOUR).value


def test_a_slope_is_ordered_by_what_its_voxel_would_lose():
    """Slopes 1 2 3 4 times the image make the shares; with the baseline 3 they claim −2 −2 0 4."""
    problem = linear(IMAGE, IMAGE)
    for baseline, order in [(0.0, [16, 9, 4, 1]), (3.0, [4, 0])]:
        found = metric("pixel_flipping", **(FOUR | {"baseline": baseline})).compute(
            problem, [given([np.array(IMAGE)], meaning="slope")]
        )[0, 0]
        lost = -np.diff(found.curve)
        total = {0.0: 30, 3.0: 0}[baseline] or None
        if total:
            assert lost * total == pytest.approx(order)
        else:
            assert np.isnan(found.value)  # 30 = 3 · (1 + 2 + 3 + 4): the baseline has the same score
            assert "another baseline" in found.note


def test_the_geometric_schedule_gives_every_step_the_same_weight():
    """8 voxels of which one counts, first in the map: 1 at the start, 0 after 1, 2, 4, 8 voxels: area 1/8."""
    image, weights = np.ones((1, 2, 4)), np.zeros((1, 2, 4))
    weights[0, 1, 2] = 1.0
    problem = linear(image, weights)
    found = figure(problem, weights, "deletion", steps=4, least=1 / 8, baseline=0.0)
    assert found.curve == (1.0, 0.0, 0.0, 0.0, 0.0)
    assert found.value == pytest.approx(1 / 8)


# --- brute force: whole images, orders by sorting, areas by hand


def brute_order(claim, parts, mean):
    """Voxel numbers in the map's order, in groups of one place each."""
    groups = [[v] for v in range(claim.size)] if parts is None else parts
    flat = claim.ravel()
    worth = [np.mean(flat[g]) if mean else np.sum(flat[g]) for g in groups]
    return [groups[i] for i in sorted(range(len(groups)), key=lambda i: -worth[i])]


def part_numbers(problem, name):
    """The voxels of each part."""
    number = np.arange(np.prod(problem.spatial_shape)).reshape(problem.spatial_shape)
    if name == "irof":
        return [number[r.bounds][r.crop(r.bounds).numpy()].tolist() for r in supervoxels(problem, 12)]
    if name != "region_perturbation":
        return None
    corners = np.indices(problem.spatial_shape) // 3
    labels = np.ravel_multi_index(tuple(corners), tuple(corners.reshape(len(corners), -1).max(1) + 1))
    return [number[labels == k].tolist() for k in range(labels.max() + 1)]


def brute_curves(problem, name, score, claim, fill, shares):
    """Scores without the first, without the last, with only the first, and without each step's places."""
    order = brute_order(claim, part_numbers(problem, name), name == "irof")
    counts = [0, *sorted({min(max(round(s * len(order)), 1), len(order)) for s in shares})]

    def without(groups):
        gone = np.zeros(claim.size, bool)
        gone[[v for g in groups for v in g]] = True
        return score(fill(torch.from_numpy(gone.reshape(claim.shape))))

    steps = [order[a:b] for a, b in pairwise(counts)]
    return {
        "u": np.array(counts) / counts[-1],
        "morf": np.array([without(order[:k]) for k in counts]),
        "lerf": np.array([without(order[len(order) - k :]) for k in counts]),
        "kept": np.array([without(order[k:]) for k in counts]),
        "alone": np.array([without(g) for g in steps]),
        "claims": np.array([sum(claim.ravel()[v] for g in step for v in g) for step in steps]),
    }


def expected(name, c, clean, removed):
    def norm(scores):
        return (scores - removed) / abs(clean - removed)

    if name == "deletion":
        return np.trapezoid(norm(c["morf"]), np.linspace(0, 1, len(c["u"])))
    if name == "insertion":
        return np.trapezoid(norm(c["kept"]), np.linspace(0, 1, len(c["u"])))
    gap = norm(c["lerf"]) - norm(c["morf"])
    if name in ("pixel_flipping", "irof"):
        return np.trapezoid(gap, c["u"])
    if name == "region_perturbation":
        return gap.mean()
    if name == "road":
        return gap[1:].mean()
    if name == "monotonicity":
        signs = np.sign(-np.diff(c["morf"]))  # what each step takes away
        return np.mean(1 - np.abs(signs - np.sign(c["claims"])) / 2)
    return np.corrcoef(c["claims"], clean - c["alone"])[0, 1]


WINDOWS_2D, WINDOWS_3D = (
    Windows(roi=6, overlap=0.5, blend="gaussian"),
    Windows(roi=5, overlap=0.25, padding="reflect"),
)
SETUPS = [
    pytest.param(*place, on, id=f"{place[0]}-{len(place[1])}d-{on}")
    for place in [
        ("classification", (7, 8), Windows()),
        ("classification", (5, 6, 4), Windows()),
        ("segmentation", (8, 9), WINDOWS_2D),
        ("segmentation", (4, 7, 6), WINDOWS_3D),
    ]
    for on in ("score", "probability", "soft_dice")
    if (place[0], on) != ("classification", "soft_dice")  # refused, see below
]


def of(kind, z, clean, c):
    if kind == "score":
        return float(z[c] if z.dim() == 1 else z[c][clean.argmax(0) == c].mean())
    p = z.softmax(0)[c]
    y = (clean.argmax(0) == c).double()
    if kind == "probability":
        return float(p if z.dim() == 1 else (p * y).sum() / y.sum())
    return float(2 * (p * y).sum() / (p.sum() + y.sum()))


@pytest.mark.parametrize(("task", "shape", "windows", "on"), SETUPS)
def test_all_of_them_against_whole_images(task, shape, windows, on, monkeypatch):
    """Two maps (shares of each channel, slopes of all) and two targets; in-fill, noise and blur."""
    monkeypatch.setattr(by_order, "LEAST_SHARE", 0.0)  # quotients of any size are to be right
    make = classifier if task == "classification" else smooth_segmenter
    net = make(len(shape), 2).double().requires_grad_(False)
    target = {} if task == "classification" else {"background": True}
    problem = Problem(
        Model(net, spatial_dims=len(shape), windows=windows), random_case(shape, 2), AllClasses(**target),
        dtype=torch.float64,
    )  # fmt: skip
    clean = stitched(net, problem.image, windows)
    rng = np.random.default_rng(4)
    maps = {"share": rng.normal(size=(3, 2, *shape)), "slope": rng.normal(size=(3, 1, *shape))}
    candidates = [given(maps[m], m, m, (0, 2)) for m in maps]

    for name in NAMES:
        baseline = {
            "road": "infill:0.2",
            "irof": "mean",
            "insertion": "blur:2",
            "pixel_flipping": "noise",
        }.get(name, 0.0)
        extra = {"order": "both"} if name in ("pixel_flipping", "region_perturbation", "irof", "road") else {}
        extra |= (
            {"size": 3} if name == "region_perturbation" else {"supervoxels": 12} if name == "irof" else {}
        )
        one = metric(name, on=on, steps=4, baseline=baseline, **extra)
        found = one.compute(problem, candidates)
        assert set(found) == {(i, t) for i in (0, 1) for t in (0, 2)}
        shares = [
            0.001 ** ((4 - k) / 3) if name in ("deletion", "insertion") else one.upto * k / 4
            for k in (1, 2, 3, 4)
        ]
        put = filling(problem, baseline)

        def fill(gone, put=put):
            return (
                put.image(problem, gone.numpy())
                if put.is_infill
                else torch.where(gone, put.whole, problem.image)
            )

        for i, meaning in enumerate(maps):
            for t in (0, 2):
                claim = maps[meaning][t]
                claim = claim * (problem.image - put.alone).numpy() if meaning == "slope" else claim
                c = brute_curves(
                    problem, name, lambda x, t=t: of(on, stitched(net, x, windows), clean, t), claim.sum(0), fill, shares
                )  # fmt: skip
                ends = [of(on, stitched(net, x, windows), clean, t) for x in (problem.image, put.whole)]
                assert found[i, t].value == pytest.approx(expected(name, c, *ends), rel=1e-7, abs=1e-9), (
                    name,
                    t,
                )


# --- what a metric of this kind must rank


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(2, 12, 10), (2, 6, 7, 5)])
def test_on_a_linear_network_the_exact_map_is_best(name, shape, monkeypatch):
    monkeypatch.setattr(by_order, "LEAST_SHARE", 0.0)  # weights of either sign nearly cancel
    rng = np.random.default_rng(2)
    image = rng.normal(size=shape)
    problem = linear(image, rng.normal(size=shape), seed=3)
    if problem.clean_scores()[0] < 0:
        problem = linear(-image, problem.model.module.weights.detach())
    baseline = "infill" if name == "road" else 0.0
    one = metric(name, baseline=baseline)
    slope = problem.model.module.weights.detach()[None] / 2
    others = rng.normal(size=(30, *shape))
    candidates = [
        given(slope, "exact", "slope"),
        *(given([o], f"random {k}") for k, o in enumerate(others)),
        null("zero", problem),
        given(-slope, "reversed", "slope"),
    ]
    found = [f.value for f in one.compute(problem, candidates).values()]
    sign = 1 if one.better == "higher" else -1
    assert all(sign * found[0] > sign * v for v in found[1:-1])
    assert sign * found[-1] <= min(sign * v for v in found[:-1])


@pytest.mark.parametrize("name", NAMES)
def test_the_planted_shortcut_is_found(name):
    shape = (6, 7, 5)
    where = [(1, 2, 3), (1, 3, 3), (2, 2, 3)]
    image = np.abs(random_case(shape).image) + 0.2
    for place in where:
        image[(0, *place)] = 1.0
    model = Model(Shortcut(where, (1, *shape)), spatial_dims=3, task="classification")
    problem = Problem(model, Case("shortcut", image, None, None, {}), ClassScore(1), dtype=torch.float64)
    true = method("input_x_gradient").attribute(problem)
    values = true.values(0).clone()
    rng = np.random.default_rng(0)
    elsewhere = [
        values.flatten()[torch.from_numpy(rng.permutation(values.numel()))].reshape(values.shape)
        for _ in range(5)
    ]
    baseline = {"road": "infill"}.get(name, 0.0)
    one = metric(name, steps=8, baseline=baseline, **({"size": 1} if name == "region_perturbation" else {}))
    found = one.compute(problem, [given([values]), *(given([e]) for e in elsewhere), null("zero", problem)])
    sign = 1 if one.better == "higher" else -1
    best = found[0, 0].value
    assert all(sign * best > sign * f.value for place, f in found.items() if place[0])


# --- ties, sharing, refusals


def segmentation(dtype=torch.float64, **kwargs):
    model = Model(smooth_segmenter(3, 2).to(dtype), spatial_dims=3, windows=Windows(roi=6, overlap=0.5))
    return Problem(model, random_case((7, 8, 6), 2), AllClasses(background=True), dtype=dtype, **kwargs)


def test_maps_without_an_order_go_in_a_random_one_of_the_seed():
    def zero(seed, value=0.0):
        problem = segmentation(seed=seed)
        return figure(problem, torch.full((1, 7, 8, 6), value), "deletion", baseline=0.0).curve

    assert zero(1) == zero(1) == zero(1, 2.5)
    assert zero(1) != zero(2)


def test_ties_are_not_broken_by_place():
    """Of 1000 equal voxels the first half is anywhere: its centre is that of the image, not of a corner."""
    problem = linear(np.ones((1, 10, 10, 10)), np.ones((1, 10, 10, 10)))
    ladder_ = ladder.Ladder(problem, "score", 0.0)
    ((_, _, found),) = metric("deletion")._orders(ladder_, None, [null("zero", problem)])
    centre = (found.rank < 500).nonzero().double().mean(0)
    assert (centre - 4.5).abs().max() < 0.5  # standard error 2.9 / √500 = 0.13


@pytest.mark.parametrize("on", ["score", "probability", "soft_dice"])
def test_the_cost_is_told_exactly_and_nothing_is_paid_twice(on):
    problem = segmentation()
    maps = [method("gradient").attribute(problem), method("input_x_gradient").attribute(problem)]
    for name in NAMES:
        one = metric(name, on=on, steps=3)
        candidates = [given([a.values(t) for t in range(3)], targets=range(3)) for a in maps]
        every = [*candidates, *null_candidates(problem, one, 2)]
        promised = one.cost(problem, every)
        halves = ladder.Ladder(problem, on, one.baseline).halves_cost(one.parts(problem))
        before = problem.passes.copy()
        one.compute(problem, every)
        assert problem.passes - before == promised
        assert one.cost(problem, candidates) == Passes(0, 0)
        if name in ("monotonicity", "region_perturbation"):
            # images of pixel flipping: the eighth of 8 voxels is a box of one
            assert promised == (halves if name == "region_perturbation" else Passes(0, 0))
        else:
            assert promised.forward > 0


@pytest.mark.parametrize("baseline", [0.0, "infill"])
def test_little_memory_changes_no_number(baseline, monkeypatch):
    def found():
        problem = segmentation()
        values = np.random.default_rng(0).normal(size=(3, 2, 7, 8, 6))
        some = [given(values, targets=range(3)), null("zero", problem)]
        return {
            p: f.curve for p, f in metric("road", steps=3, baseline=baseline).compute(problem, some).items()
        }

    roomy = found()
    monkeypatch.setattr(ladder, "HELD_BYTES", 1)
    tight = found()
    for place, curve in roomy.items():
        assert curve == pytest.approx(tight[place], rel=1e-12)


def test_single_precision_and_absent_targets():
    problem = segmentation(torch.float32)
    values = np.random.default_rng(0).normal(size=(3, 1, 7, 8, 6)).astype(np.float32)
    double = segmentation()
    for name in ("deletion", "road"):
        a, b = (
            metric(name, steps=3).compute(p, [given(values, targets=(1,))])[1 - 1, 1].value
            for p in (problem, double)
        )
        assert a == pytest.approx(b, rel=1e-3)

    net = smooth_segmenter(2).double()
    with torch.no_grad():
        net[2].bias[2] = -100.0
    absent = Problem(
        Model(net, spatial_dims=2),
        random_case((8, 7)),
        [PredictedRegion(2), PredictedRegion(1)],
        dtype=torch.float64,
    )
    assert absent.present == [1]
    result = evaluate(absent, method("gradient").attribute(absent), [metric(n, steps=3) for n in NAMES])
    assert [j.target for j in result.judgements] == [0, 1] * len(NAMES)
    assert [np.isnan(j.figure.value) for j in result.judgements] == [True, False] * len(NAMES)
    assert "absent" in result.judgements[0].remark


@pytest.mark.parametrize("name", NAMES)
def test_a_network_that_does_not_look_says_nothing_and_why(name):
    problem = linear(np.ones((1, 6, 5)), np.zeros((1, 6, 5)))
    found = figure(problem, np.random.default_rng(0).normal(size=(1, 6, 5)), name, steps=3)
    assert np.isnan(found.value)
    assert "baseline" in found.note


class Returns(nn.Module):
    """The score of an empty image is that of the full one, but for a thousandth; half of it has another."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean((1, 2, 3))
        s = 1 + 4 * mean * (1 - mean) - 1e-3 * mean
        return torch.stack([-s, s], 1)


class Falls(nn.Module):
    """The score falls evenly to a half of what its halves do at most."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        s = x.mean((1, 2, 3))
        return torch.stack([-s, s], 1)


DIVIDING = ("deletion", "insertion", "pixel_flipping", "region_perturbation", "irof")


def ones(net, task="classification", **kwargs):
    case = Case("ones", np.ones((1, 6, 8), np.float32), None, None, {})
    return Problem(Model(net, spatial_dims=2, task=task), case, [ClassScore(0), ClassScore(1)], **kwargs)


@pytest.mark.parametrize("name", DIVIDING)
def test_a_score_that_returns_when_all_is_gone_has_no_curve(name):
    """F(full) − F(empty) = −0.001 and F(full) − F(half) = −1.0005: nothing can be a share of a thousandth."""
    problem = ones(Returns())
    rng = np.random.default_rng(0)
    maps = [given(rng.normal(size=(2, 1, 6, 8)), f"{k}", targets=(0, 1)) for k in range(3)]
    one = metric(name, baseline=0.0, **({"supervoxels": 12} if name == "irof" else {}))
    promised, before = one.cost(problem, maps), problem.passes.copy()
    found = one.compute(problem, maps)
    assert problem.passes - before == promised
    for f in found.values():
        assert np.isnan(f.value)
        assert "by 0.001 only, a random half by up to" in f.note and "another baseline" in f.note
    # what is not divided has its figure
    assert not np.isnan(metric("monotonicity", baseline=0.0).compute(problem, maps)[0, 1].value)


@pytest.mark.parametrize("name", DIVIDING)
def test_an_ordinary_score_keeps_its_curve(name, monkeypatch):
    values = np.random.default_rng(0).normal(size=(2, 1, 6, 8))
    one = metric(name, baseline=0.0, **({"supervoxels": 12} if name == "irof" else {}))

    def found():
        figures = one.compute(ones(Falls()), [given(values, targets=(0, 1))])
        return {place: (f.value, f.curve, f.note) for place, f in figures.items()}

    guarded = found()
    monkeypatch.setattr(by_order, "LEAST_SHARE", 0.0)
    assert guarded == found() and not any(np.isnan(v) or note for v, _, note in guarded.values())


def test_the_guard_is_the_same_for_every_map_and_paid_once():
    problem = segmentation()
    a = ladder.Ladder(problem, "score", 0.0)
    assert a.halves_cost(None) == problem.cost(scores=4)
    before = problem.passes.copy()
    first = a.halves(None)
    assert problem.passes - before == problem.cost(scores=4) and a.halves_cost(None) == Passes(0, 0)
    assert torch.equal(ladder.Ladder(problem, "score", 0.0).halves(None), first)
    gone = [random_order(problem, None, k).rank < 7 * 8 * 6 // 2 for k in range(4)]
    truth = problem.scores([torch.where(g, 0.0, problem.image) for g in gone])
    torch.testing.assert_close(first, truth, rtol=1e-9, atol=1e-12)
    assert len({tuple(g.flatten().tolist()) for g in gone}) == 4


def test_what_cannot_be_is_refused():
    problem = linear(np.ones((1, 6, 5)), np.ones((1, 6, 5)))
    with pytest.raises(InputError, match=r"soft_dice.*classification"):
        evaluate(problem, [], [metric("deletion", on="soft_dice")])
    for parameters, text in [
        ({"on": "dice"}, "on='dice'"),
        ({"steps": 1}, "steps=1"),
        ({"schedule": "log"}, "schedule='log'"),
        ({"least": 1.0}, "least=1.0"),
        ({"upto": 0.0}, "upto=0.0"),
        ({"baseline": "infill:x"}, "infill:SD"),
        ({"baseline": "noise:-1"}, "noise:SD"),
        ({"baseline": "bluer"}, "bluer"),
    ]:
        with pytest.raises(InputError, match=text):
            metric("road", **parameters)
    with pytest.raises(InputError, match="order='first'"):
        metric("irof", order="first")
    with pytest.raises(InputError, match="size has 3 numbers"):
        figure(problem, np.ones((1, 6, 5)), "region_perturbation", size=(2, 2, 2))
    with pytest.raises(InputError, match="supervoxels=1"):
        metric("irof", supervoxels=1)
