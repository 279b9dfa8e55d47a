"""Owen values over windows equal the definition on whole coalitions of the stitched model."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from coalitions import Brute
from networks import InstanceNormSegmenter, random_case, smooth_segmenter

from voxplain.aggregate.games import owen_game, owen_game_cost, region_game
from voxplain.aggregate.games.owen import parts_of
from voxplain.aggregate.partition import Partition
from voxplain.attribution.regions import boxes
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, PredictedRegion
from voxplain.target.region import MaskRegion

pytestmark = pytest.mark.filterwarnings("ignore:.*implausible in")
GAUSSIAN = Windows(roi=6, overlap=0.5, blend="gaussian")


def make(windows=GAUSSIAN, kind="logit", shape=(6, 12), net=None, targets=None):
    module = (net or InstanceNormSegmenter(2)).double()
    return Problem(
        Model(module, spatial_dims=2, windows=windows),
        random_case(shape),
        targets or AllClasses(background=True, score=kind),
        dtype=torch.float64,
    )


def organs(shape=(6, 12)):
    """Three regions that lie scattered over several windows, and one that is not there."""
    labels = torch.zeros(shape, dtype=torch.int32)
    labels[1:5, 2:6], labels[2:, 7:11] = 1, 3
    return Partition("organs", labels, ("body", "left", "lost", "right"), (1.0, 1.0))


def halves(shape=(6, 12)):
    """Left and right of column 4, left and right of column 9: cuts body into three, left and right into two."""
    columns = torch.zeros(shape, dtype=torch.int32)
    columns[:, 4:], columns[:, 9:] = 1, 2
    return [MaskRegion(columns == k) for k in range(3)]


def owen(v, groups, rows):
    """Mean gain over all orders in which the parts of a region follow each other: (K, P)."""
    total, count = torch.zeros((rows, len(groups)), dtype=torch.float64), 0
    for order in permutations(range(len(groups))):
        seen = [groups[i] for i in order]
        if sum(a != b for a, b in zip(seen[1:], seen[:-1], strict=True)) == len(set(groups)) - 1:
            count += 1
            for k, i in enumerate(order):
                total[:, i] += v(order[: k + 1]) - v(order[:k])
    return total / count


@pytest.mark.parametrize(
    ("windows", "kind"),
    [
        (GAUSSIAN, "logit"),
        (Windows(roi=(6, 6), overlap=0.25), "margin"),
        (Windows(), "probability"),
        (Windows(roi=6, overlap=0.5), "log_probability"),
    ],
)
def test_owen_values_of_windows_are_those_of_the_image(windows, kind):
    p, partition = make(windows, kind), organs()
    game = owen_game(p, partition, halves(), baseline=0.2)
    groups = game.region.tolist()
    assert groups == [0, 0, 0, 1, 1, 3, 3] and game.counts.tolist() == [16, 14, 10, 8, 8, 8, 8]
    image = torch.full_like(p.image, 0.2)
    v = Brute(p.model.module, p.image, image, game.labels[None], windows, kind)
    classes = [t.class_index for t in p.targets]
    truth = owen(v, groups, len(v.clean))[classes]
    torch.testing.assert_close(game.owen, truth, rtol=0, atol=1e-9)
    assert float(truth.abs().max()) > 1e-3 and game.exact.all() and not game.owen_error.any()
    assert float(game.gap.max()) < 1e-9
    # a region's parts share its Shapley value
    regions = region_game(p, partition, baseline=0.2)
    torch.testing.assert_close(game.of_regions, regions.shapley, rtol=0, atol=1e-9, equal_nan=True)
    assert game.of_regions[:, 2].isnan().all()
    torch.testing.assert_close(game.full, regions.full, rtol=0, atol=1e-12)


def test_it_is_not_the_shapley_value_of_the_parts():
    p = make()
    game = owen_game(p, organs(), halves(), baseline=0.2)
    names = tuple(map(str, range(7)))
    flat = region_game(p, Partition("parts", game.labels, names, (1.0, 1.0)), baseline=0.2)
    assert float((flat.shapley - game.owen).abs().max()) > 1e-4


def test_cost_is_told_and_each_coalition_asked_once():
    """One window: regions of 3, 2 and 2 parts. 2³ whole ones, and (6 + 2 + 2) parts with 2² choices of the others."""
    p, partition = make(Windows()), organs()
    told = owen_game_cost(p, partition, halves(), baseline=0.2)
    before = p.passes.copy()
    game = owen_game(p, partition, halves(), baseline=0.2)
    assert told == game.passes == p.passes - before
    assert told.forward == 8 + 10 * 4


@pytest.mark.parametrize("kind", ["logit", "log_probability"])
def test_drawn_values_are_near_exact_ones_and_keep_sums(kind):
    shape = (6, 16)
    windows = Windows(roi=(6, 12), overlap=0.6)
    p = make(windows, kind, shape)
    edges = (2, 4) if kind == "logit" else (3, 4)
    partition, pieces = organs(shape), boxes(shape, edges, edges)
    exact = owen_game(p, partition, pieces, baseline=0.2, budget=10**5)
    budget = 2000 if kind == "logit" else 700
    assert exact.exact.all() and exact.passes.forward > budget
    beyond = checked = 0
    for seed in range(2):
        game = owen_game(p, partition, pieces, baseline=0.2, budget=budget, seed=seed)
        assert game.passes.forward <= budget and not game.exact.any()
        assert game.passes == owen_game_cost(p, partition, pieces, baseline=0.2, budget=budget, seed=seed)
        torch.testing.assert_close(game.owen.sum(1), game.full - game.empty, rtol=0, atol=1e-10)
        off = (game.owen - exact.owen).abs()
        beyond, checked = beyond + int((off > 4 * game.owen_error + 1e-12).sum()), checked + off.numel()
        assert (game.owen_error > 0).double().mean() > 0.95
        assert float(game.owen_error.mean() / exact.owen.abs().mean()) < 0.5
    assert beyond <= 0.03 * checked


def test_supervoxels_are_cut_at_the_regions_borders_and_leftovers_are_a_part():
    p, partition = make(Windows()), organs()
    parts = parts_of(p, partition, halves()[:2])
    assert parts.region.tolist() == [0, 0, 0, 1, 1, 3, 3]
    for k, r in enumerate(parts.region.tolist()):
        assert (partition.labels[parts.labels == k] == r).all()
    made = parts_of(p, partition, 8)
    assert len(made.region) > 4 and set(made.region.tolist()) == {0, 1, 3}
    with pytest.raises(InputError, match="owen game: supervoxel 1 shares voxels with another"):
        parts_of(p, partition, [MaskRegion(torch.ones(6, 12)), *halves()[1:]])
    with pytest.raises(InputError, match="partition organs: found labels of"):
        parts_of(make(shape=(8, 12)), partition, 8)


def test_absent_targets_and_regions_are_null_in_rows():
    net = smooth_segmenter(2)
    with torch.no_grad():
        net[2].bias[2] = -100
    p = make(net=net, targets=[PredictedRegion(class_name=c) for c in (1, 2)])
    game = owen_game(p, organs(), halves(), baseline="local-mean")
    assert torch.isfinite(game.owen[0]).all() and game.owen[1].isnan().all() and game.gap[1].isnan()
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
    assert all(list(row) == keys and row["statistic"] == "owen" for row in rows)
    assert {row["method"] for row in rows} == {"game(local-mean)"}
    first = [row for row in rows if row["target"] == game.targets[0]]
    names = ["body · 1", "body · 2", "body · 3", "left · 1", "left · 2", "lost", "right · 1", "right · 2"]
    assert [row["region"] for row in first] == names
    assert [row["status"] for row in first] == ["ok"] * 5 + ["absent"] + ["ok"] * 2
    np.testing.assert_array_equal(
        [row["value"] for row in first if row["value"] is not None], game.owen[0].numpy()
    )
    assert all(row["value"] is None for row in rows if row["target"] == game.targets[1])


def test_a_budget_below_the_least_is_refused():
    with pytest.raises(
        InputError, match=r"owen game: found a budget of 30 forward passes, expected at least 48"
    ):
        owen_game(make(Windows()), organs(), halves(), baseline=0.2, budget=30)


@pytest.mark.parametrize("baseline", ["infill", "local-mean"])
def test_parts_are_shares_of_what_their_region_gives_whatever_is_put_in_its_place(baseline):
    """What is filled from around is filled around the whole region, not around each of its parts."""
    p, partition = make(), organs()
    parts, whole = (
        owen_game(p, partition, halves(), baseline=baseline),
        region_game(p, partition, baseline=baseline),
    )
    torch.testing.assert_close(parts.empty, whole.empty, rtol=0, atol=1e-12)
    torch.testing.assert_close(parts.of_regions, whole.shapley, rtol=0, atol=1e-9, equal_nan=True)
    cost = owen_game_cost(p, partition, halves(), baseline=baseline)
    assert cost == owen_game(p, partition, halves(), baseline=baseline).passes
