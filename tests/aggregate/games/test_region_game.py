"""Window-local games equal brute force on whole coalitions of the stitched model."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import combinations
from math import factorial

import numpy as np
import pytest
import torch
from captum.attr import ShapleyValues, ShapleyValueSampling
from coalitions import Brute
from monai.data.utils import dense_patch_slices
from networks import InstanceNormSegmenter, classifier, random_case, smooth_segmenter
from stitched import scores, stitched

from voxplain.aggregate.games import region_game, region_game_cost
from voxplain.aggregate.games.allotment import Price, allotted
from voxplain.aggregate.partition import Partition
from voxplain.attribution.baseline import Baseline
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, ClassScore, PredictedRegion

pytestmark = pytest.mark.filterwarnings("ignore:.*implausible in")
GAUSSIAN = Windows(roi=6, overlap=0.5, blend="gaussian")
EVERY = ("shapley", "occlusion", "interaction")
CASES = [
    pytest.param((9, 14), GAUSSIAN, "instance", "logit", id="2d-gaussian-instancenorm"),
    pytest.param((8, 13), Windows(roi=(6, 8), overlap=0.25), "smooth", "margin", id="2d-constant-margin"),
    pytest.param(
        (5, 12), Windows(roi=8, overlap=0.3, padding="reflect"), "instance", "logit", id="2d-reflect"
    ),
    pytest.param((6, 10, 6), GAUSSIAN, "instance", "logit", id="3d-gaussian-instancenorm"),
    pytest.param((8, 10), Windows(), "instance", "probability", id="2d-whole-probability"),
    pytest.param((8, 13), Windows(roi=6, overlap=0.5), "smooth", "log_probability", id="2d-not-linear"),
]


class Other(Baseline):
    """Another image, equal to the image in some voxels."""

    is_constant = False

    def __init__(self, same=None):
        self.same = same

    def __call__(self, problem):
        image = torch.from_numpy(np.random.default_rng(7).normal(size=problem.image.shape))
        return image if self.same is None else torch.where(self.same, problem.image, image)


def make(shape, windows, kind="logit", net="smooth", targets=None, **kwargs):
    dims = len(shape)
    module = InstanceNormSegmenter(dims) if net == "instance" else smooth_segmenter(dims)
    return Problem(
        Model(module.double(), spatial_dims=dims, windows=windows),
        random_case(shape),
        targets or AllClasses(background=True, score=kind),
        dtype=torch.float64,
        **kwargs,
    )


def in_a_row(shape, count, empty=()):
    """Regions across the last axis, named a, b, ...; those in ``empty`` have no voxel and give theirs to the next."""
    index = np.arange(shape[-1]) * count // shape[-1]
    for e in empty:
        index[index == e] = e + 1
    labels = np.broadcast_to(index, shape).astype(np.int32)
    return Partition(
        "row", torch.from_numpy(labels.copy()), tuple("abcdefghijklmnop"[:count]), (1.0,) * len(shape)
    )


def brute(problem, partition, image, kind):
    owner = partition.labels[None].clone()
    return Brute(problem.model.module, problem.image, image, owner, problem.model.windows, kind)


def truth(v, players):
    """Shapley values, interactions, occlusion and alone by their definitions, from all 2^R coalitions: (K, R), ..."""
    every = range(players)
    shapley = torch.zeros((len(v(every)), players), dtype=torch.float64)
    pairs = torch.zeros((len(v(every)), players, players), dtype=torch.float64)
    for i in every:
        others = [k for k in every if k != i]
        for size in range(players):
            weight = factorial(size) * factorial(players - size - 1) / factorial(players)
            for s in combinations(others, size):
                shapley[:, i] += weight * (v([*s, i]) - v(s))
    for i, j in combinations(every, 2):
        others = [k for k in every if k not in (i, j)]
        for size in range(players - 1):
            weight = factorial(size) * factorial(players - size - 2) / factorial(players - 1)
            for s in combinations(others, size):
                pairs[:, i, j] += weight * (v([*s, i, j]) - v([*s, i]) - v([*s, j]) + v(s))
        pairs[:, j, i] = pairs[:, i, j]
    occlusion = torch.stack([v(every) - v([k for k in every if k != i]) for i in every], 1)
    alone = torch.stack([v([i]) - v([]) for i in every], 1)
    return shapley, pairs, occlusion, alone


def close(found, expected, atol=1e-9):
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


@pytest.mark.parametrize(("shape", "windows", "net", "kind"), CASES)
def test_games_of_windows_are_the_game_of_the_image(shape, windows, net, kind):
    p = make(shape, windows, kind, net)
    partition = in_a_row(shape, 6)
    baseline = Other()
    v = brute(p, partition, baseline(p), kind)
    classes = [t.class_index for t in p.targets]
    assert len(classes) >= 2
    told = region_game_cost(p, partition, baseline=baseline, values=EVERY)
    before = p.passes.copy()
    game = region_game(p, partition, baseline=baseline, values=EVERY)
    assert p.passes - before == game.passes == told
    shapley, pairs, occlusion, alone = truth(v, 6)
    close(game.shapley, shapley[classes])
    close(game.interaction, pairs[classes])
    close(game.occlusion, occlusion[classes])
    close(game.alone, alone[classes])
    close(game.full, v(range(6))[classes])
    close(game.empty, v([])[classes])
    assert float(shapley[classes].abs().max()) > 1e-3, "there is something to find"
    assert float(pairs[classes].abs().max()) > 1e-4
    assert game.exact.all() and not game.shapley_error.any() and not game.interaction_error.any()
    assert float(game.gap.max()) < 1e-9
    close(game.shapley.sum(1), game.full - game.empty, 1e-12)
    # the same loss as from the engine's own occlusion
    close(game.occlusion, p.occlusion(partition.parts, baseline(p))[0], 1e-11)


def local_players(shape, roi, steps, labels):
    return [
        len(np.unique(labels[where])) for where in dense_patch_slices(shape, roi, steps, return_slice=True)
    ]


def test_a_window_is_asked_every_coalition_of_its_players_once_whatever_is_read_from_it():
    """Counted from the windows' places alone: 12 columns, windows of 6 at every third, regions of two columns."""
    shape = (6, 12)
    p, partition = make(shape, Windows(roi=6, overlap=0.5)), in_a_row(shape, 6)
    seen = local_players(shape, (6, 6), (3, 3), partition.labels.numpy())
    assert seen == [3, 4, 3]  # columns 0–5, 3–8 and 6–11
    expected = 8 + 16 + 8
    for values in (("shapley",), ("interaction",), ("shapley", "occlusion"), EVERY):
        assert region_game(p, partition, baseline=Other(), values=values).passes.forward == expected
    # occlusion alone: nobody, everybody, and each of m alone and left out: 2 + 2 m, of three players all eight
    assert region_game(p, partition, baseline=Other(), values=("occlusion",)).passes.forward == 8 + 10 + 8
    assert region_game(p, partition, baseline=Other()).passes.backward == 0


def test_scores_that_are_not_linear_ask_windows_again_only_where_they_change():
    """Two windows side by side, a in both, b in the first, c in the second. In Gray's code with those in few windows first,
    of eight coalitions b comes or goes four times, c twice and a once: 2 + 4 · 1 + 2 · 1 + 1 · 2 passes.
    """
    labels = torch.zeros((6, 12), dtype=torch.int32)
    labels[2:4, 1:4], labels[2:4, 7:10] = 1, 2
    partition = Partition("three", labels, ("a", "b", "c"), (1.0, 1.0))
    p = make((6, 12), Windows(roi=6, overlap=0.0), "log_probability")
    assert len(p.plan) == 2 and p.plan.windows(p.present) == [0, 1]
    assert region_game(p, partition, baseline=Other()).passes.forward == 2 + 4 + 2 + 2


def test_only_what_was_asked_for_is_told():
    p, partition = make((6, 12), Windows(roi=6, overlap=0.5)), in_a_row((6, 12), 6)
    only = region_game(p, partition, baseline=Other(), values=("occlusion",))
    assert only.shapley is None and only.interaction is None and only.gap.isnan().all()
    close(only.occlusion, region_game(p, partition, baseline=Other()).occlusion, 1e-12)
    assert {r["statistic"] for r in only.rows()} == {"occlusion", "alone"}
    shares = region_game(p, partition, baseline=Other(), values=("shapley",))
    assert {r["statistic"] for r in shares.rows()} == {"shapley"} and shares.occlusion is None


def test_absent_regions_are_null_and_regions_like_the_baseline_zero():
    shape = (6, 14)
    p, partition = make(shape, GAUSSIAN, net="instance"), in_a_row(shape, 7, empty=(2,))
    same = (partition.labels == 4)[None]
    game = region_game(p, partition, baseline=Other(same), values=EVERY)
    assert game.present.tolist() == [True, True, False, True, True, True, True]
    for values in (game.shapley, game.shapley_error, game.occlusion, game.alone):
        assert values[:, 2].isnan().all() and not values[:, 4].any()
        assert torch.isfinite(values[:, [0, 1, 3, 4, 5, 6]]).all()
    assert game.interaction[:, 2].isnan().all() and game.interaction[:, :, 2].isnan().all()
    assert not game.interaction[:, 4, [0, 1, 3, 5, 6]].any()
    assert (game.shapley[:, [0, 1, 3, 5, 6]] != 0).any(0).all()
    close(game.shapley.nansum(1), game.full - game.empty, 1e-12)
    # without the absent region the answer is the same
    dense = partition.merged({"cd": ("c", "d")})
    close(region_game(p, dense, baseline=Other(same)).shapley, game.shapley[:, [0, 1, 3, 4, 5, 6]], 1e-12)


def test_twins_get_the_same():
    """A network that is blind to left and right, an image and a baseline that are their own mirror images."""

    class Mirrored(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = smooth_segmenter(2)

        def forward(self, x):
            return self.net(x) + self.net(x.flip(-1)).flip(-1)

    case = random_case((6, 12))
    image = case.image + case.image[..., ::-1]
    mirrored = type(case)(id="twins", image=np.ascontiguousarray(image))
    p = Problem(
        Model(Mirrored().double(), spatial_dims=2, windows=Windows(roi=6, overlap=0.5, blend="gaussian")),
        mirrored,
        AllClasses(background=True),
        dtype=torch.float64,
    )
    game = region_game(p, in_a_row((6, 12), 6), baseline=0.3, values=EVERY)
    close(game.shapley, game.shapley.flip(1), 1e-10)
    close(game.interaction, game.interaction.flip(1, 2), 1e-10)
    assert float((game.shapley[:, 0] - game.shapley[:, 1]).abs().max()) > 1e-3


def test_a_sum_of_networks_gives_the_sum_of_values():
    """Linear in the game: the same regions of classes, outputs that are added."""

    class Sum(torch.nn.Module):
        def __init__(self, nets, weights):
            super().__init__()
            self.nets, self.weights = torch.nn.ModuleList(nets), weights

        def forward(self, x):
            return sum(w * net(x) for w, net in zip(self.weights, self.nets, strict=True))

    nets = [smooth_segmenter(2, seed=s) for s in (0, 1)]
    labels = np.zeros((8, 12), dtype=int)
    labels[2:6, 3:9] = 1
    found = []
    for weights in ((1, 0), (0, 1), (2, -3)):
        case = random_case((8, 12), label=labels.astype(np.int32))
        p = Problem(
            Model(Sum(nets, weights).double(), spatial_dims=2, windows=GAUSSIAN),
            case,
            ["label:1"],
            dtype=torch.float64,
        )
        found.append(region_game(p, in_a_row((8, 12), 6), baseline=Other(), values=EVERY))
    a, b, both = found
    for name in ("shapley", "occlusion", "alone", "interaction", "full", "empty"):
        close(getattr(both, name), 2 * getattr(a, name) - 3 * getattr(b, name), 1e-10)


@pytest.mark.parametrize(
    ("windows", "kind", "values", "regions", "budget"),
    [
        (Windows(), "logit", ("shapley", "occlusion"), 12, 300),
        (Windows(roi=(6, 20), overlap=0.5), "margin", ("shapley", "occlusion"), 12, 900),
        (Windows(), "logit", EVERY, 12, 2400),
        (Windows(roi=(6, 20), overlap=0.5), "log_probability", ("shapley", "occlusion"), 8, 250),
    ],
)
def test_drawn_values_are_near_exact_ones_and_say_how_near(windows, kind, values, regions, budget):
    """Within four standard errors over seeds, and never beyond the budget."""
    shape = (6, 24)
    p, partition = make(shape, windows, kind, "instance"), in_a_row(shape, regions)
    exact = region_game(p, partition, baseline=Other(), values=values, budget=10**5)
    assert exact.exact.all()
    beyond, checked = 0, 0
    for seed in range(3):
        told = region_game_cost(p, partition, baseline=Other(), values=values, budget=budget, seed=seed)
        game = region_game(p, partition, baseline=Other(), values=values, budget=budget, seed=seed)
        assert told == game.passes and game.passes.forward <= budget < exact.passes.forward
        assert not game.exact.any()
        close(game.shapley.sum(1), game.full - game.empty, 1e-10)
        close(game.occlusion, exact.occlusion, 1e-10)
        close(game.alone, exact.alone, 1e-10)
        assert (game.shapley_error > 0).all()
        off = (game.shapley - exact.shapley).abs() / game.shapley_error
        beyond, checked = beyond + int((off > 4).sum()), checked + off.numel()
        # an error is no way out: it is small beside what it belongs to
        assert float(game.shapley_error.mean() / exact.shapley.abs().mean()) < 0.3
        if "interaction" in values:
            pair = ~torch.eye(regions, dtype=torch.bool)
            off = ((game.interaction - exact.interaction).abs() / game.interaction_error)[:, pair]
            beyond, checked = beyond + int((off > 4).sum()), checked + off.numel()
    assert beyond <= 0.02 * checked
    again = region_game(p, partition, baseline=Other(), values=values, budget=budget, seed=2)
    assert torch.equal(again.shapley, game.shapley), "the seed settles everything"
    other = region_game(p, partition, baseline=Other(), values=values, budget=budget, seed=3)
    assert not torch.equal(other.shapley, game.shapley)


def test_windows_are_exact_where_the_budget_allows_and_targets_say_whether_all_theirs_are():
    """Two windows side by side, one with twelve regions, one with two: only what the first has a share in is drawn."""
    shape = (6, 24)
    columns = torch.tensor([*range(12), *[12] * 6, *[13] * 6], dtype=torch.int32)
    partition = Partition("uneven", columns.expand(shape).contiguous(), tuple("abcdefghijklmn"), (1.0, 1.0))
    sides = np.ones(shape, dtype=np.int32)
    sides[:, 12:] = 2
    case = random_case(shape, label=sides)
    model = Model(smooth_segmenter(2).double(), spatial_dims=2, windows=Windows(roi=(6, 12), overlap=0.0))
    p = Problem(model, case, ["label:1", "label:2"], dtype=torch.float64)
    assert len(p.plan) == 2
    exact = region_game(p, partition, baseline=Other(), budget=10**4)
    game = region_game(p, partition, baseline=Other(), budget=500)
    assert exact.passes.forward == 2**12 + 2**2 and game.passes.forward <= 500
    assert exact.exact.tolist() == [True, True] and game.exact.tolist() == [False, True]
    assert (game.shapley_error[0, :12] > 0).all() and not game.shapley_error[1].any()
    assert torch.equal(game.shapley[1], exact.shapley[1])
    assert not game.shapley[0, 12:].any(), "what lies in the other window cannot matter"


def test_windows_draw_apart_from_each_other():
    """Errors of windows add up as variances only then. Two halves that look alike, each a window with regions of its own:
    their values are equal, their draws are not.
    """
    shape = (6, 24)
    half = random_case((6, 12)).image
    case = type(random_case(shape))(id="twice", image=np.concatenate([half, half], -1))
    case = replace(case, label=np.ones(shape, dtype=np.int32))
    model = Model(
        InstanceNormSegmenter(2).double(), spatial_dims=2, windows=Windows(roi=(6, 12), overlap=0.0)
    )
    p = Problem(model, case, "label:1", dtype=torch.float64)
    columns = torch.arange(24, dtype=torch.int32).expand(shape).contiguous()
    partition = Partition("columns", columns, tuple(f"{k}" for k in range(24)), (1.0, 1.0))
    exact = region_game(p, partition, baseline=0.3, values=("shapley",))
    close(exact.shapley[0, :12], exact.shapley[0, 12:], 1e-12)
    assert exact.passes.forward == 2 * 2**12
    drawn = region_game(p, partition, baseline=0.3, values=("shapley",), budget=600)
    assert float((drawn.shapley[0, :12] - drawn.shapley[0, 12:]).abs().max()) > 1e-6


def test_one_target_of_many():
    shape = (9, 14)
    whole = region_game(make(shape, GAUSSIAN), in_a_row(shape, 6), baseline=Other())
    assert len(whole.targets) == 3
    for t, name in enumerate(whole.targets):
        own = make(shape, GAUSSIAN, targets=[PredictedRegion(class_name=t)])
        alone = region_game(own, in_a_row(shape, 6), baseline=Other())
        assert alone.targets == (name,)
        close(alone.shapley[0], whole.shapley[t], 1e-10)
        assert alone.passes.forward <= whole.passes.forward


def test_absent_targets_are_null():
    net = smooth_segmenter(2)
    with torch.no_grad():
        net[2].bias[2] = -100
    targets = [PredictedRegion(class_name=c) for c in (1, 2)]
    p = Problem(
        Model(net.double(), spatial_dims=2, windows=GAUSSIAN),
        random_case((9, 14)),
        targets,
        dtype=torch.float64,
    )
    game = region_game(p, in_a_row((9, 14), 4), baseline=0.0, values=EVERY)
    assert torch.isfinite(game.shapley[0]).all()
    for found in (
        game.shapley,
        game.occlusion,
        game.alone,
        game.interaction,
        game.full,
        game.empty,
        game.gap,
    ):
        assert found[1].isnan().all()
    rows = [r for r in game.rows() if r["target"] == game.targets[1]]
    assert len(rows) == 4 * 3 + 6 and all(r["status"] == "absent" and r["value"] is None for r in rows)
    nothing = Problem(
        Model(net.double(), spatial_dims=2, windows=GAUSSIAN),
        random_case((9, 14)),
        targets[1:],
        dtype=torch.float64,
    )
    game = region_game(nothing, in_a_row((9, 14), 4), baseline=0.0, values=EVERY)
    assert game.passes.forward == 0 and game.shapley.isnan().all()


def test_both_kinds_of_scores_together():
    shape = (6, 12)
    targets = [PredictedRegion(class_name=1, score=s) for s in ("logit", "probability")]
    windows = Windows(roi=6, overlap=0.5)
    both = region_game(
        make(shape, windows, targets=targets), in_a_row(shape, 6), baseline=Other(), values=EVERY
    )
    for t, target in enumerate(targets):
        own = make(shape, windows, targets=[target])
        alone = region_game(own, in_a_row(shape, 6), baseline=Other(), values=EVERY)
        close(both.shapley[t], alone.shapley[0], 1e-11)
        close(both.interaction[t], alone.interaction[0], 1e-11)


def test_both_kinds_of_scores_stay_within_the_budget_together():
    shape = (6, 24)
    targets = [PredictedRegion(class_name=1, score=s) for s in ("logit", "probability")]
    p = make(shape, Windows(roi=(6, 20), overlap=0.5), targets=targets)
    game = region_game(p, in_a_row(shape, 8), baseline=Other(), budget=420)
    assert game.passes.forward <= 420 and not game.exact.any()
    assert (game.shapley_error > 0).all()


@pytest.mark.parametrize("dims", [2, 3])
def test_classifiers(dims):
    shape = (6, 8, 6)[:dims]
    p = Problem(
        Model(classifier(dims).double(), spatial_dims=dims),
        random_case(shape),
        [ClassScore(c, score=s) for c, s in ((0, "logit"), (2, "probability"))],
        dtype=torch.float64,
    )
    partition = in_a_row(shape, 5)
    game = region_game(p, partition, baseline=Other(), values=EVERY)
    for t, (c, kind) in enumerate(((0, "logit"), (2, "probability"))):
        shapley, pairs, *_ = truth(brute(p, partition, Other()(p), kind), 5)
        close(game.shapley[t], shapley[c])
        close(game.interaction[t], pairs[c])
    assert game.passes.forward == 2**5


def captum(p, partition, image, method, target, **kwargs):
    """Captum on whole stitched images, one class: (R,)."""
    clean = stitched(p.model.module, p.image, p.model.windows).detach()

    def score(x):
        with torch.no_grad():
            return torch.stack(
                [scores(stitched(p.model.module, one, p.model.windows), clean, "logit")[target] for one in x]
            )

    found = method(score).attribute(
        p.image[None], baselines=image[None], feature_mask=partition.labels[None, None].long(), **kwargs
    )[0, 0]
    return torch.stack([found[partition.labels == r].mean() for r in range(len(partition.regions))])


def test_exact_values_are_captums():
    p, partition = make((9, 14), GAUSSIAN, net="instance"), in_a_row((9, 14), 4)
    game = region_game(p, partition, baseline=Other())
    t = 1
    peer = captum(p, partition, Other()(p), ShapleyValues, p.targets[t].class_index)
    torch.testing.assert_close(game.shapley[t], peer.double(), rtol=1e-5, atol=1e-6)


def test_drawn_values_are_as_near_as_captums_from_far_fewer_window_passes():
    """Captum's sampling, whose every order asks all windows: 30 orders of 8 regions, 240 coalitions of nine windows."""
    p, partition = make((9, 14), GAUSSIAN, net="instance"), in_a_row((9, 14), 8)
    game = region_game(p, partition, baseline=Other())
    torch.manual_seed(0)
    t = 1
    peer = captum(p, partition, Other()(p), ShapleyValueSampling, p.targets[t].class_index, n_samples=30)
    off = (peer - game.shapley[t]).abs()
    assert 1e-6 < float(off.max()) < 0.3 * float(game.shapley[t].abs().max())
    assert game.passes.forward * 5 < 30 * 8 * len(p.plan)


def test_rows_are_long_and_complete():
    shape = (6, 14)
    p, partition = make(shape, GAUSSIAN), in_a_row(shape, 7, empty=(2,))
    game = region_game(p, partition, baseline="blur", values=EVERY)
    rows = game.rows()
    keys = [
        "case",
        "model",
        "method",
        "target",
        "partition",
        "region",
        "statistic",
        "value",
        "error",
        "status",
    ]
    assert all(list(row) == keys for row in rows)
    assert len(rows) == 3 * (3 * 7 + 21)
    assert {r["method"] for r in rows} == {"game(blur)"} and {r["partition"] for r in rows} == {"row"}
    assert {(r["case"], r["model"]) for r in rows} == {("random", "Sequential")}
    found = {(r["target"], r["statistic"], r["region"]): r for r in rows}
    assert len(found) == len(rows)
    t = game.targets[1]
    assert found[t, "shapley", "d"]["value"] == float(game.shapley[1, 3])
    assert found[t, "occlusion", "b"]["value"] == float(game.occlusion[1, 1])
    assert found[t, "alone", "g"]["value"] == float(game.alone[1, 6])
    assert found[t, "interaction", "b × d"]["value"] == float(game.interaction[1, 1, 3])
    assert found[t, "shapley", "d"]["status"] == "ok" and found[t, "shapley", "d"]["error"] == 0.0
    for name in ("c", "a × c", "c × g"):
        own = [r for r in rows if r["region"] == name]
        assert own and all((r["value"], r["error"], r["status"]) == (None, None, "absent") for r in own)


def test_rows_carry_errors():
    p, partition = make((6, 24), Windows()), in_a_row((6, 24), 12)
    game = region_game(p, partition, baseline=0.0, budget=300)
    found = {(r["target"], r["statistic"], r["region"]): r["error"] for r in game.rows()}
    assert found[game.targets[0], "shapley", "e"] == float(game.shapley_error[0, 4]) > 0
    assert found[game.targets[0], "occlusion", "e"] == 0.0


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"values": ("shap",)}, "region game: found values .*expected at least one of shapley, occlusion"),
        ({"values": ()}, "expected at least one of shapley"),
        ({"budget": 20}, r"region game: found a budget of 20 forward passes, expected at least 32"),
        (
            {"budget": 20, "values": ("occlusion",)},
            "found a budget of 20 forward passes, expected at least 26",
        ),
        ({"baseline": "grey"}, "baseline: found 'grey'"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_in_one_line(kwargs, message):
    p, partition = make((6, 12), Windows(roi=6, overlap=0.5)), in_a_row((6, 12), 6)
    arguments = {"baseline": Other(), **kwargs}
    with pytest.raises(InputError, match=message) as caught:
        region_game(p, partition, **arguments)
    assert "\n" not in str(caught.value)
    if "budget" in kwargs:
        enough = int(str(caught.value).split("at least ")[1].split()[0].strip(";"))
        assert region_game(p, partition, **{**arguments, "budget": enough}).passes.forward == enough


def test_a_partition_of_another_image_is_refused():
    with pytest.raises(InputError, match=r"partition row: found labels of \(6, 13\), expected \(6, 12\)"):
        region_game(make((6, 12), GAUSSIAN), in_a_row((6, 13), 3))


def test_a_budget_is_shared_out_so_that_small_games_become_exact_first():
    prices = {
        0: Price(1 << 20, 42, 34),
        1: Price(16, 16, 0),
        2: Price(1 << 10, 22, 14),
        3: Price(1 << 11, 24, 16),
    }
    least = 42 + 8 * 34 + 16 + 22 + 8 * 14 + 24 + 8 * 16
    assert allotted(prices, least, "x") == {0: 8, 1: 0, 2: 8, 3: 8}
    with pytest.raises(
        InputError, match=f"found a budget of {least - 1} forward passes, expected at least {least}"
    ):
        allotted(prices, least - 1, "x")
    # 1024 − 134 more make the smaller one exact once its third of what is left holds them
    assert allotted(prices, least + 3 * 890 - 1, "x")[2] > 0
    more = allotted(prices, least + 3 * 890, "x")
    assert more[2] == 0 and more[3] > 8 and more[0] > 8
    for budget in range(least, least + 4000, 97):
        found = allotted(prices, budget, "x")
        used = sum(
            p.everything if not found[w] else p.base + found[w] * p.per_draw for w, p in prices.items()
        )
        assert used <= budget
    assert set(allotted(prices, 1 << 22, "x").values()) == {0}


def test_an_implausible_baseline_is_warned_of():
    p, partition = make((6, 12), GAUSSIAN), in_a_row((6, 12), 3)
    with pytest.warns(
        UserWarning,
        match=r"random: baseline constant:-50: implausible in 3 of 3 regions \(a, b, c\).*'infill' usually",
    ):
        game = region_game(p, partition, baseline=-50.0)
    assert game.plausibility.implausible == ("a", "b", "c") and game.baseline == "constant:-50"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert region_game(p, partition, baseline="infill").plausibility.warning == ""
