"""Randomised weights: by hand on small networks, against scipy, skimage and Quantus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from networks import InstanceNormSegmenter, classifier, random_case, smooth_segmenter
from scipy import stats
from skimage.metrics import structural_similarity
from torch import nn
from torchvision_stand_in import peer

from voxplain.attribution import Method, Result, method
from voxplain.engine import Problem
from voxplain.engine.weight_order import weights
from voxplain.errors import InputError, ModelError
from voxplain.metric import Figure, evaluate, join, judged, metric
from voxplain.metric.nulls import null
from voxplain.metric.randomisation.likeness import entropy, spearman, ssim
from voxplain.metric.randomisation.redraw import Redrawn, layers
from voxplain.metric.randomisation.stages import Stages
from voxplain.model import Model, Windows
from voxplain.target import AllClasses

NAMES = ("mprt", "mprt_absolute", "mprt_ssim")


def problem(net, shape, channels=1, **kwargs):
    windows = kwargs.pop("windows", Windows(roi=None))
    model = Model(net.double(), spatial_dims=len(shape), channels_in=channels, windows=windows)
    case = random_case(shape, channels)
    return Problem(model, case, AllClasses(background=True), dtype=torch.float64, **kwargs)


def two_layers(shape, channels=1):
    """Two linear layers without a bias: the gradient of class c is W2[c] W1, whatever the image."""
    torch.manual_seed(0)
    size = channels * int(np.prod(shape))
    return nn.Sequential(nn.Flatten(), nn.Linear(size, 5, bias=False), nn.Tanh(), nn.Linear(5, 2, bias=False))


def gradient_by_hand(first, second, image, target):
    """tanh' = 1 − tanh²."""
    x, w1, w2 = (t.detach().double().numpy() for t in (image.flatten(), first, second))
    return ((w2[target] * (1 - np.tanh(w1 @ x) ** 2)) @ w1).reshape(image.shape)


def figures(p, attribution, name, **parameters):
    found = metric(name, **parameters).compute(p, [judged(attribution)])
    return [found[0, t] for t in range(len(p.targets))]


# --- by hand ------------------------------------------------------------------------------------------------------


def expected(name, a, b):
    if name == "mprt":
        return stats.spearmanr(a.ravel(), b.ravel()).statistic
    a, b = np.abs(a), np.abs(b)
    if name == "mprt_absolute":
        return stats.spearmanr(a.ravel(), b.ravel()).statistic
    window = {8: 7, 4: 3}[a.shape[1]]  # the largest odd number up to the smallest axis, seven at most
    a, b = a / a.max(), b / b.max()
    each = [structural_similarity(x, y, win_size=window, data_range=1) for x, y in zip(a, b, strict=True)]
    return np.mean(each)


@pytest.mark.parametrize("order", ["cascading", "independent"])
@pytest.mark.parametrize(("shape", "channels"), [((8, 9), 2), ((4, 4, 5), 1)])
@pytest.mark.parametrize("name", NAMES)
def test_two_layers_by_hand(name, shape, channels, order):
    """Stage one redraws the layer of the output alone; stage two both (cascading) or the first alone."""
    p = problem(two_layers(shape, channels), shape, channels)
    net = p.model.module
    new = Redrawn(p, "permutation").at({"1", "3"}, 0).model.module
    for old, fresh in ((net[1], new[1]), (net[3], new[3])):
        a, b = old.weight.detach().flatten(), fresh.weight.detach().flatten()
        assert torch.equal(a.sort()[0], b.sort()[0])
        assert not torch.equal(a, b)
    second = (new if order == "cascading" else net)[3].weight
    found = figures(p, method("gradient").attribute(p), name, order=order)
    for t in range(2):
        a = gradient_by_hand(net[1].weight, net[3].weight, p.image, t)
        truth = [
            expected(name, a, gradient_by_hand(net[1].weight, new[3].weight, p.image, t)),
            expected(name, a, gradient_by_hand(new[1].weight, second, p.image, t)),
        ]
        assert found[t].curve == pytest.approx(truth, abs=1e-9)
        assert found[t].value == pytest.approx(np.mean(truth), abs=1e-9)


def test_complexity_by_hand():
    shape = (8, 9)
    p = problem(two_layers(shape), shape)
    net, redrawn = p.model.module, Redrawn(p, "permutation")
    found = figures(p, method("gradient").attribute(p), "efficient_mprt", draws=3)
    for t in range(2):
        rises = []
        for draw in range(3):
            new = redrawn.at({"1", "3"}, draw).model.module
            before, after = (
                stats.entropy(np.histogram(gradient_by_hand(n[1].weight, n[3].weight, p.image, t), 100)[0])
                for n in (net, new)
            )
            rises.append((after - before) / before)
        assert len(set(rises)) == 3
        assert found[t].value == pytest.approx(np.mean(rises), rel=1e-9)
        low, high = found[t].interval
        assert min(rises) <= low < found[t].value < high <= max(rises)


@pytest.mark.parametrize("name", NAMES)
def test_what_ignores_the_weights_fails(name):
    """The image's edges are the same whatever the weights are: 1 at every stage. Zeros are like nothing."""
    p = problem(classifier(2), (8, 9))
    edges, random, zero = (metric(name).compute(p, [null(n, p)])[0, 1] for n in ("edges", "random-1", "zero"))
    for figure in (edges, random):
        assert figure.value == pytest.approx(1, abs=1e-12)
        assert figure.curve == pytest.approx([1] * 3, abs=1e-12)
    assert np.isnan(zero.value)
    assert "zero" in zero.note
    assert metric("efficient_mprt").compute(p, [null("edges", p)])[0, 1].value == 0


@dataclass(frozen=True)
class Outlines(Method):
    """A method that asks the network and then shows the image's edges."""

    name: ClassVar[str] = "outlines"
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Outlines"
    source: ClassVar[str] = "none"

    def cost(self, problem):
        return problem.cost(scores=1)

    def compute(self, problem):
        maps, edges = problem.store(), null("edges", problem)
        for t in problem.present:
            maps[t] = edges.values(t)
        return Result(maps, problem.clean_scores(), "score")


def test_a_method_that_only_shows_outlines_is_found_out_and_the_gradient_is_not():
    """Planted: both classes are decided by six known voxels, which the redrawn networks forget."""
    shape = (8, 9)
    net = two_layers(shape)
    with torch.no_grad():
        net[1].weight.mul_(0.01)
        net[1].weight[:, [10, 11, 12, 40, 41, 42]] += 0.5
        net[3].weight.mul_(0.1).add_(torch.tensor([[1.0], [-1.0]]))
    p = problem(net, shape)
    maps = [method("gradient").attribute(p), Outlines().attribute(p)]
    for row in evaluate(p, maps, NAMES).rows():
        assert row["null_edges"] == pytest.approx(1, abs=1e-12)
        assert row["tells"] is (row["method"] == "gradient")
        if row["method"] == "outlines":
            assert row["value"] == row["excess"] == pytest.approx(1, abs=1e-12)
            assert (
                row["note"]
                == f"fails: nearer to sameness (1) than to the gradient's {row['null_gradient']:.2f}"
            )
        else:
            assert row["value"] == row["null_gradient"] < 0.8
            assert row["excess"] == 0
    for row in evaluate(p, maps, ["efficient_mprt"]).rows():
        # most of the gradient's values are about equal until the six voxels are forgotten
        assert row["tells"] is (row["method"] == "gradient")


# --- weights ------------------------------------------------------------------------------------------------------


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(30, 3)
        self.norm = nn.BatchNorm2d(30)
        self.conv = nn.Conv2d(1, 30, 3, padding=1)
        self.never = nn.Linear(2, 2)
        self.scale = nn.Parameter(torch.tensor(2.0))
        with torch.no_grad():
            self.norm.running_mean.uniform_(-1, 1)
            self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.tanh(self.scale * self.norm(self.conv(x))).mean((2, 3)))


def snapshot(module):
    return {name: t.clone() for name, t in module.state_dict().items()}


def test_the_users_network_stays_bit_identical():
    p = problem(Normed(), (8, 9))
    net = p.model.module
    net.train()
    before, storage = snapshot(net), {n: t.data_ptr() for n, t in net.named_parameters()}
    found = method("gradient").attribute(p)
    map_before = found.values(1).clone()
    for name in (*NAMES, "efficient_mprt"):
        figures(p, found, name)
    assert all(torch.equal(before[n], t) for n, t in net.state_dict().items())
    assert storage == {n: t.data_ptr() for n, t in net.named_parameters()}
    assert all(m.training for m in net.modules())
    assert all(w.requires_grad for w in net.parameters())
    assert torch.equal(method("gradient").attribute(p).values(1), map_before)
    assert p.model.module is net


def test_stages_follow_the_execution_and_end_with_everything():
    p = problem(Normed(), (8, 9))
    every = frozenset({"head", "norm", "conv", "never"})  # one number alone cannot be redrawn
    cascade = Stages("cascading", 8, "permutation", 1).of(p)
    assert cascade == [{"head"}, {"head", "norm"}, every]
    assert Stages("independent", 8, "permutation", 1).of(p) == [{"head"}, {"norm"}, {"conv"}]
    assert Stages("cascading", 2, "permutation", 1).of(p) == [{"head", "norm"}, every]
    assert Stages("independent", 2, "permutation", 1).of(p) == [{"head", "norm"}, {"conv"}]
    assert Stages("all", 1, "permutation", 1).of(p) == [every]


@pytest.mark.parametrize("how", ["permutation", "normal"])
def test_new_weights(how):
    p = problem(Normed(), (8, 9))
    redrawn, own = Redrawn(p, how), snapshot(p.model.module)
    every = redrawn.at({"head", "norm", "conv"}, 0)
    new = snapshot(every.model.module)
    for name in weights(p):
        a, b = own[name].flatten(), new[name].flatten()
        if name.partition(".")[0] in ("scale", "never") or name in ("norm.weight", "norm.bias"):
            assert torch.equal(a, b)  # not asked for, or one number repeated
        elif how == "permutation" or name == "norm.running_var":
            assert torch.equal(a.sort()[0], b.sort()[0])
            assert not torch.equal(a, b)
        else:
            assert len(set(a.tolist()) & set(b.tolist())) == 0
            # five standard errors
            assert abs(float(b.mean() - a.mean())) < 5 * float(a.std()) / len(a) ** 0.5
            if len(a) > 20:
                assert 0.5 < float(b.std() / a.std()) < 1.6
    # the same weights again, alone or with others; the others back; other weights at another draw
    alone = snapshot(redrawn.at({"conv"}, 0).model.module)
    assert torch.equal(alone["conv.weight"], new["conv.weight"])
    assert torch.equal(alone["head.weight"], own["head.weight"])
    assert torch.equal(alone["norm.running_var"], own["norm.running_var"])
    other = snapshot(redrawn.at({"conv"}, 1).model.module)
    assert not torch.equal(other["conv.weight"], new["conv.weight"])
    again = snapshot(Redrawn(p, how).at({"conv"}, 1).model.module)
    assert torch.equal(other["conv.weight"], again["conv.weight"])


def test_parametrized_weights_belong_to_their_layer():
    net = classifier(2)
    nn.utils.parametrizations.weight_norm(net[2])
    p = problem(net, (8, 9))
    assert layers(p) == ["0", "2", "6"]
    assert Stages("cascading", 8, "permutation", 1).of(p)[0] == {"6"}
    assert all(np.isfinite(f.value) for f in figures(p, method("gradient").attribute(p), "mprt"))


def test_torchscript_has_stages_too():
    net = classifier(2).double().eval()
    traced = torch.jit.trace(net, torch.rand(1, 1, 8, 9).double())
    a, b = (problem(n, (8, 9)) for n in (net, traced))
    ours, theirs = (figures(p, method("gradient").attribute(p), "mprt") for p in (a, b))
    for one, other in zip(ours, theirs, strict=True):
        assert len(one.curve) == 3
        assert one.curve == pytest.approx(other.curve, abs=1e-9)


# --- likeness -----------------------------------------------------------------------------------------------------


def test_spearman_is_scipys_with_ties_over_what_is_seen():
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 5, (2, 1, 6, 7)).astype(float)
    truth = stats.spearmanr(a.ravel(), b.ravel()).statistic
    assert spearman(a, b) == pytest.approx(truth, abs=1e-12)
    wide = [np.pad(m, ((0, 0), (20, 20), (0, 0))) for m in (a, b)]
    seen = np.pad(np.full((6, 7), True), ((20, 20), (0, 0)))
    assert spearman(*wide, seen) == pytest.approx(truth, abs=1e-12)
    # one that is not zero where nothing is seen counts there
    wide[0][0, 1, 1], wide[1][0, 1, 1] = 9.0, 0.0
    x, y = np.append(a.ravel(), 9.0), np.append(b.ravel(), 0.0)
    assert spearman(*wide, seen) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    wide[0][0, 1, 1] = 0.0
    assert (
        stats.spearmanr(wide[0].ravel(), wide[1].ravel()).statistic > truth + 0.5
    )  # what the zeros would add
    assert spearman(a, -a) == pytest.approx(-1)
    assert np.isnan(spearman(a, np.ones_like(a)))
    assert np.isnan(spearman(0 * a, 0 * a))


@pytest.mark.parametrize("sparse", [(0.0, 0.0), (0.5, 0.5), (0.9, 0.9), (0.97, 0.97), (0.9, 0.1)])
@pytest.mark.parametrize("rectified", [False, True])
def test_independent_maps_do_not_correlate_however_sparse_they_are(sparse, rectified):
    """On a seen half of 20 × 20 voxels; over the voxels where either is not zero they would, negatively."""
    seen = np.zeros((20, 20), bool)
    seen[:, 10:] = True
    found, union = [], []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        maps = [rng.normal(size=(1, 20, 20)) * (rng.random((20, 20)) >= s) * seen for s in sparse]
        a, b = (np.abs(m) if rectified else m for m in maps)
        found.append(spearman(a, b, seen))
        union.append(spearman(a, b, np.zeros_like(seen)))
    assert abs(np.nanmean(found)) < 0.02
    if rectified and min(sparse) > 0.4:
        assert np.nanmean(union) < -0.1


@pytest.mark.parametrize(("shape", "window"), [((9, 12), 7), ((6, 7, 8), 5), ((3, 9), 3)])
def test_ssim_is_skimages(shape, window):
    a, b = np.random.default_rng(0).random((2, 2, *shape))
    each = [
        structural_similarity(x / a.max(), y / b.max(), win_size=window, data_range=1)
        for x, y in zip(a, b, strict=True)
    ]
    assert ssim(a, b) == pytest.approx(np.mean(each), abs=1e-12)
    assert ssim(a, 7 * a) == pytest.approx(1)
    assert np.isnan(ssim(a, 0 * a))
    assert np.isnan(ssim(a[:, :2], b[:, :2]))


def test_entropy_of_a_histogram():
    """Half zeros, half ones: ln 2. A constant map is in one bin: 0."""
    halves = np.repeat([0.0, 1.0], 8).reshape(1, 4, 4)
    assert entropy(halves) == pytest.approx(np.log(2))
    assert entropy(5 - 3 * halves) == pytest.approx(np.log(2))
    assert entropy(np.ones((1, 4, 4))) == 0


def test_entropy_as_in_quantus():
    try:
        quantus = peer("quantus.functions.complexity_func")
    except ImportError as error:
        pytest.skip(f"quantus is not here ({error})")
    a = np.random.default_rng(0).normal(size=(1, 8, 9))
    assert entropy(a) == pytest.approx(quantus.discrete_entropy(a, a), rel=1e-12)


# --- contract -----------------------------------------------------------------------------------------------------


def segmentation():
    return problem(smooth_segmenter(3), (8, 9, 7), windows=Windows(roi=6, overlap=0.5))


def judgeable(p):
    names = ("gradient", "grad_cam", "score_cam", "smoothgrad", "occlusion")
    small = {"score_cam": {"channels": 2}, "smoothgrad": {"draws": 2}, "occlusion": {"size": 4}}
    return [judged(method(n, **small.get(n, {})).attribute(p)) for n in names]


def test_cost_is_exact_and_all_metrics_share_it():
    p = segmentation()
    candidates = [*judgeable(p), null("edges", p), null("zero", p), null("gradient", p)]

    def run(one):
        cost, before = one.cost(p, candidates), p.passes.copy()
        one.compute(p, candidates)
        assert p.passes - before == cost
        return cost

    full = run(metric("efficient_mprt", draws=1))
    cascade = run(metric("mprt"))
    # two layers: the order, the stage of the output; the last stage is what the complexity has paid
    assert (cascade.forward, cascade.backward) == (full.forward + 1, full.backward)
    assert full.backward > 0
    for name in NAMES:
        assert run(metric(name)).forward == 0
    # alone: the layer of the output is known from the cascade, the first is not
    assert run(metric("mprt", order="independent")) == full
    assert run(metric("mprt", how="normal")).forward == 2 * full.forward
    assert run(metric("mprt", draws=3)).forward == 4 * full.forward


@pytest.mark.parametrize("name", ["mprt_absolute", "efficient_mprt"])
def test_where_the_target_looks_costs_one_gradient_once(name):
    p = segmentation()
    maps = [judged(method("occlusion", size=4).attribute(p))]
    reference = p.cost(gradients=1)
    told, before = metric(name).cost(p, maps), p.passes.copy()
    metric(name).compute(p, maps)
    assert p.passes - before == told and told.backward == reference.backward > 0
    before = p.passes.copy()
    null("gradient", p)
    assert p.passes == before


# --- the reference ------------------------------------------------------------------------------------------------


def test_the_gradient_stands_beside_every_map_and_is_run_once():
    p = segmentation()
    maps = [method("occlusion", size=4).attribute(p), method("gradient").attribute(p)]
    before = p.passes.copy()
    found = evaluate(p, maps, [metric("mprt_absolute", draws=3)])
    paid = p.passes - before
    stages, gradient = 2, p.cost(gradients=1)
    # the reference itself, then once per stage and draw for both the reference and the gradient that is judged
    assert paid.backward == gradient.backward * (1 + 3 * stages)
    own = metric("mprt_absolute", draws=3).compute(p, [judged(maps[1])])
    for j in found.judgements:
        gradient = own[0, j.target]
        assert j.nulls["gradient"].value == gradient.value and np.array_equal(
            j.nulls["gradient"].replicates, gradient.replicates
        )
        truth = (j.figure.value - gradient.value) / (1 - gradient.value)
        assert j.excess == pytest.approx(truth, rel=1e-12)
        if j.candidate == "gradient":
            assert j.excess == 0 and j.tells is True


class Rounds(nn.Module):
    """No gradient leads from its scores to the image."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = classifier(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.round(1e4 * self.inner(x).detach()) / 1e4


def test_without_a_gradient_likeness_is_read_from_nought_to_one():
    p = problem(Rounds(), (8, 9))
    maps = method("occlusion", size=3).attribute(p)
    for row in evaluate(p, maps, ["mprt_absolute"]).rows():
        assert "null_gradient" not in row and np.isnan(row["excess"])
        assert "no gradient of the network" in row["note"]
        assert row["tells"] is (row["value"] < 0.5)
    with pytest.raises(ModelError, match="no gradient"):
        null("gradient", p)


@pytest.mark.parametrize(
    ("value", "gradient", "expected", "tells"),
    [
        (0.41, 0.41, 0.0, True),
        (1.0, 0.41, 1.0, False),
        (0.71, 0.4, 0.31 / 0.6, False),
        (0.69, 0.4, 0.29 / 0.6, True),
        (-0.2, 0.0, -0.2, True),
        (0.9, 1.0, np.nan, None),
        (np.nan, 0.4, np.nan, None),
    ],
)
def test_the_excess_by_hand(value, gradient, expected, tells):
    found = join(metric("mprt_absolute"), "x", 0, Figure(value), {"gradient": Figure(gradient)})
    assert found.excess == pytest.approx(expected, nan_ok=True)
    assert found.tells is tells


@pytest.mark.parametrize(
    ("middle", "spread", "tells"), [(0.2, 0.05, True), (0.9, 0.05, False), (0.7, 0.1, None)]
)
def test_draws_leave_the_excess_open(middle, spread, tells):
    again = np.linspace(-1, 1, 400)
    figure, gradient = Figure(middle, middle + spread * again), Figure(0.4, 0.4 + 0.01 * again)
    found = join(metric("mprt_absolute"), "x", 0, figure, {"gradient": gradient})
    assert found.tells is tells
    assert ("cannot tell" in found.remark) == (tells is None) and found.remark.startswith("fails") == (
        tells is False
    )
    # draw by draw: what both share cancels
    same = Figure(0.4, 0.4 + 0.3 * again)
    assert join(metric("mprt_absolute"), "x", 0, same, {"gradient": same}).tells is True


def test_steps_bound_the_stages():
    p = problem(InstanceNormSegmenter(2), (8, 8))
    found = method("gradient").attribute(p)
    assert len(layers(p)) == 3  # the norms have no weights
    assert len(figures(p, found, "mprt")[0].curve) == 3
    assert len(figures(p, found, "mprt", steps=2)[0].curve) == 2
    assert len(figures(p, found, "mprt", steps=1)[0].curve) == 1
    whole = figures(p, found, "mprt", steps=1)[0].value
    assert figures(p, found, "mprt", steps=2)[0].curve[-1] == whole


def test_windows_channels_and_both_tasks_have_figures_with_an_interval():
    for p in (segmentation(), problem(classifier(3, 2), (6, 7, 8), 2)):
        for name in NAMES:
            for figure in figures(p, method("gradient").attribute(p), name, draws=3, steps=2):
                low, high = figure.interval
                assert -1 <= low <= figure.value <= high <= 1
                assert low < high


def test_the_same_seed_gives_the_same_figure_and_another_another():
    def run(seed):
        p = problem(classifier(2), (8, 9), seed=seed)
        return [f.value for f in figures(p, method("gradient").attribute(p), "mprt")]

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_a_random_method_runs_with_its_own_seed():
    p = problem(classifier(2), (8, 9))
    found = figures(p, method("smoothgrad", draws=2).attribute(p), "mprt")
    assert all("own seed" in f.note for f in found)


def test_a_network_without_weights_cannot_be_judged():
    class Fixed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([x.mean((1, 2, 3)), (x**2).mean((1, 2, 3))], 1)

    p = problem(Fixed(), (8, 9))
    found = method("gradient").attribute(p)
    for name in (*NAMES, "efficient_mprt"):
        assert metric(name).cost(p, [judged(found)]).forward == 0
        for figure in figures(p, found, name):
            assert np.isnan(figure.value)
            assert "no weights" in figure.note


def test_networks_that_overflow_are_left_out_and_it_is_said():
    """The logarithm of normal numbers with this mean and deviation is NaN for at least one of sixty."""

    class Logs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.w = nn.Parameter(torch.rand(60) ** 4 + 1e-6)
            self.head = nn.Linear(72, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(x.flatten(1) * torch.log(self.w).sum())

    p = problem(Logs(), (8, 9))
    found = method("gradient").attribute(p)
    (partly, _), (none, _) = (figures(p, found, n, how="normal") for n in ("mprt", "efficient_mprt"))
    assert partly.note.startswith("1 of 2 maps cannot be compared")
    assert np.isnan(partly.curve[1])
    assert partly.value == partly.curve[0]
    assert np.isnan(none.value)
    assert "no map of the redrawn networks" in none.note


@dataclass(frozen=True)
class Dies(Outlines):
    """Edges while the network is what it was, else zeros."""

    known: tuple[float, ...] = ()

    def compute(self, problem):
        result = super().compute(problem)
        if tuple(problem.clean_scores().tolist()) != self.known:
            result.maps.transform(lambda _, m: m * 0)
        return result


def test_a_map_that_dies_is_left_out_and_is_not_called_simple():
    p = problem(classifier(2), (8, 9))
    found = Dies(known=tuple(p.clean_scores().tolist())).attribute(p)
    assert found.answers[1].status == "ok"
    for name in (*NAMES, "efficient_mprt"):
        figure = figures(p, found, name)[1]
        assert np.isnan(figure.value)
        assert "no map of the redrawn networks" in figure.note


def test_a_network_that_cannot_be_copied_is_said_to_be_so():
    net = classifier(2)
    net.generator = (i for i in range(3))
    p = problem(net, (8, 9))
    with pytest.raises(ModelError, match="cannot be copied"):
        figures(p, method("gradient").attribute(p), "mprt")


def test_a_map_of_nobody_is_not_judged():
    p = problem(classifier(2), (8, 9))
    found = method("gradient").attribute(p)
    found.made_by = None
    figure = figures(p, found, "mprt")[0]
    assert np.isnan(figure.value)
    assert "which method made it" in figure.note


def test_parameters_that_mean_nothing_are_refused():
    for wrong in ({"order": "random"}, {"steps": 0}, {"draws": 0}, {"how": "zeros"}):
        with pytest.raises(InputError, match=next(iter(wrong))):
            metric("mprt", **wrong)
    with pytest.raises(InputError, match="draws"):
        metric("efficient_mprt", draws=0)
