"""Coalition values equal brute force: whole composed images through MONAI's sliding-window inference."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from coalitions import LAYOUTS, SCORES, Brute, blocks
from monai.data.utils import dense_patch_slices
from networks import classifier, random_case, smooth_segmenter

from voxplain.engine import Problem, terms
from voxplain.engine.game import Game, distinct
from voxplain.engine.players import Player
from voxplain.engine.stitched import Stitched
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, ClassScore, PredictedRegion, Voxel
from voxplain.target.region import MaskRegion, label_regions


def make(shape, windows, kind="logit", net=None, channels=2, targets=None, **kwargs):
    net = (net or smooth_segmenter(len(shape), channels)).double()
    return Problem(
        Model(net, spatial_dims=len(shape), windows=windows),
        random_case(shape, channels),
        targets or AllClasses(background=True, score=kind),
        dtype=torch.float64,
        **kwargs,
    )


def other_image(problem, seed=7):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=problem.image.shape))


def regions_of(labels):
    return list(label_regions(torch.from_numpy(labels), list(range(1, int(labels.max()) + 1))))


def some_coalitions(players, count, seed=1):
    rows = np.random.default_rng(seed).random((count, players)) < 0.5
    return torch.from_numpy(np.concatenate([rows, rows[:2], np.ones_like(rows[:1]), np.zeros_like(rows[:1])]))


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_values_equal_brute_force(shape, windows, kind):
    p = make(shape, windows, kind)
    # scattered voxels, not boxes, and some that are nobody's
    labels = np.random.default_rng(0).integers(0, 6, shape).astype(np.int32)
    baseline = other_image(p)
    game = p.game([Player(r) for r in regions_of(labels)], baseline)
    brute = Brute(p.model.module, p.image, baseline, torch.from_numpy(labels - 1)[None], windows, kind)
    rows = some_coalitions(5, 8)
    truth = torch.stack([brute(row.nonzero()[:, 0].tolist()) for row in rows])
    before = p.passes.copy()
    told = game.cost(rows)
    torch.testing.assert_close(game.values(rows), truth, rtol=1e-10, atol=1e-12)
    assert told == p.passes - before
    torch.testing.assert_close(game.values(rows)[10], p.clean_scores(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", ["logit", "probability"])
@pytest.mark.parametrize("windows", [Windows(), Windows(roi=6, overlap=0.5, padding="reflect")])
def test_players_may_be_channels_and_regions_of_channels(windows, kind):
    shape = (5, 9)
    p = make(shape, windows, kind, channels=3)
    left, right = regions_of(blocks(shape, (1, 2), nobody=False))
    baseline = other_image(p)
    players = [Player(left, 0), Player(right, 0), Player(channel=1), Player(right, 2)]
    owner = torch.full((3, *shape), -1)
    owner[0, :, :5], owner[0, :, 5:], owner[1], owner[2, :, 5:] = 0, 1, 2, 3
    brute = Brute(p.model.module, p.image, baseline, owner, windows, kind)
    rows = some_coalitions(4, 6)
    truth = torch.stack([brute(row.nonzero()[:, 0].tolist()) for row in rows])
    torch.testing.assert_close(p.game(players, baseline).values(rows), truth, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("kind", SCORES)
def test_classifier(dims, kind):
    shape = (7, 8, 6)[:dims]
    p = make(shape, Windows(), net=classifier(dims, 2), targets=[ClassScore(c, score=kind) for c in range(3)])
    labels = blocks(shape, (2,) * dims)
    baseline = other_image(p)
    brute = Brute(
        p.model.module, p.image, baseline, torch.from_numpy(labels - 1)[None], p.model.windows, kind
    )
    rows = some_coalitions(2**dims, 5)
    truth = torch.stack([brute(row.nonzero()[:, 0].tolist()) for row in rows])
    game = p.game([Player(r) for r in regions_of(labels)], baseline)
    torch.testing.assert_close(game.values(rows), truth, rtol=1e-10, atol=1e-12)
    different = len({tuple(row.tolist()) for row in rows})
    assert game.cost(rows).forward == different < len(rows), "repeated rows are free"


def touching(labels, where):
    return [int(v) - 1 for v in np.unique(labels[where]) if v > 0]


@pytest.mark.parametrize(("kind", "linear"), [("margin", True), ("log_probability", False)])
def test_a_window_runs_once_per_distinct_local_coalition(kind, linear):
    """Counted from the windows' places alone: three targets, four windows in a row of eight regions."""
    shape, windows = (6, 24), Windows(roi=(6, 9), overlap=1 / 3)
    p = make(shape, windows, kind)
    labels = blocks(shape, (1, 8), nobody=False)
    places = dense_patch_slices(shape, (6, 9), (6, 6), return_slice=True)
    members = [touching(labels, where) for where in places]
    # windows start at 0, 6, 12 and 15, regions are 3 voxels wide
    assert members == [[0, 1, 2], [2, 3, 4], [4, 5, 6], [5, 6, 7]]
    rows = some_coalitions(8, 40)
    if linear:
        expected = sum(len({tuple(row[m].tolist()) for row in rows}) for m in members)
    else:
        unique = list(dict.fromkeys(tuple(row.tolist()) for row in rows))
        expected = 4 + sum(
            [a[i] for i in m] != [b[i] for i in m] for a, b in pairwise(unique) for m in members
        )
    game = p.game([Player(r) for r in regions_of(labels)], torch.zeros_like(p.image))
    before = p.passes.copy()
    game.values(rows)
    assert (p.passes - before).forward == expected == game.cost(rows).forward
    assert expected < 40 * 4
    if linear:
        assert expected <= 4 * 2**3


@pytest.mark.parametrize("kind", ["logit", "probability"])
def test_only_windows_of_the_targets_asked_for_are_run(kind):
    shape, windows = (6, 24), Windows(roi=(6, 9), overlap=1 / 3)
    near = Voxel(index=(2, 1), class_name=1, score=kind)
    p = make(shape, windows, targets=[near, Voxel(index=(2, 22), class_name=1, score=kind)])
    game = p.game(
        [Player(r) for r in regions_of(blocks(shape, (1, 8), nobody=False))], torch.zeros_like(p.image)
    )
    rows = some_coalitions(8, 6)
    before = p.passes.copy()
    values = game.values(rows, [0])
    # the first window alone holds the voxel, and regions 0 to 2 alone play in it
    assert game.active([0]).tolist() == [0, 1, 2] and list(game.members) == [0, 3]
    assert (p.passes - before).forward <= 8 and game.cost(rows, [0]) == p.passes - before
    assert torch.isfinite(values[:, 0]).all() and values[:, 1].isnan().all()
    torch.testing.assert_close(values[:, 0], game.values(rows)[:, 0], rtol=1e-12, atol=1e-14)


def test_windows_tell_their_own_share_of_the_targets_asked_for():
    shape, windows = (6, 24), Windows(roi=(6, 9), overlap=1 / 3)
    p = make(shape, windows)
    game = p.game(
        [Player(r) for r in regions_of(blocks(shape, (1, 8), nobody=False))], torch.zeros_like(p.image)
    )
    rows = some_coalitions(8, 5)
    total, taken = torch.zeros((len(rows), 3), dtype=torch.float64), []

    def take(window, values):
        assert values.shape == (len(rows), 3)
        taken.append(window)
        total.add_(values)

    game.window_values({w: rows[:, own] for w, own in game.members.items()}, [0, 2], take)
    assert taken == [0, 1, 2, 3]
    torch.testing.assert_close(total[:, [0, 2]], game.values(rows)[:, [0, 2]], rtol=1e-12, atol=1e-14)
    assert not total[:, 1].any(), "it was not asked for"


def test_voxels_that_equal_the_baseline_are_nobodys():
    p = make((6, 24), Windows(roi=(6, 9), overlap=1 / 3), channels=1)
    baseline = p.image.clone()
    baseline[:, :, 12:15] += 1  # region 4 of 8, which the second and the third window see
    game = p.game([Player(r) for r in regions_of(blocks((6, 24), (1, 8), nobody=False))], baseline)
    assert game.active(p.present).tolist() == [4]
    assert {w: m.tolist() for w, m in game.members.items()} == {0: [], 1: [4], 2: [4], 3: []}
    assert game.cost(some_coalitions(8, 30)).forward == 1 + 2 + 2 + 1


def test_a_voxel_is_nobodys_only_where_all_its_channels_equal_the_baseline():
    shape = (6, 9)
    p = make(shape, Windows())
    baseline = p.image.clone()
    baseline[1] += 1
    labels = blocks(shape, (1, 3), nobody=False)
    brute = Brute(
        p.model.module, p.image, baseline, torch.from_numpy(labels - 1)[None], p.model.windows, "logit"
    )
    rows = some_coalitions(3, 4)
    truth = torch.stack([brute(row.nonzero()[:, 0].tolist()) for row in rows])
    game = p.game([Player(r) for r in regions_of(labels)], baseline)
    torch.testing.assert_close(game.values(rows), truth, rtol=1e-10, atol=1e-12)
    channels = p.game([Player(channel=0), Player(channel=1)], baseline)
    assert channels.active(p.present).tolist() == [1]


def test_absent_targets_are_not_a_number_and_cost_nothing():
    net = smooth_segmenter(2, 1)
    with torch.no_grad():
        net[2].bias[2] = -100
    p = make((8, 9), Windows(), net=net, channels=1, targets=[PredictedRegion(class_name=c) for c in (1, 2)])
    assert p.present == [0]
    values = p.game(
        [Player(r) for r in regions_of(blocks((8, 9), (2, 1)))], torch.zeros_like(p.image)
    ).values(some_coalitions(2, 3))
    assert torch.isfinite(values[:, 0]).all() and values[:, 1].isnan().all()


@pytest.mark.parametrize("channels", [(None, None), (None, 1), (1, 1)])
def test_players_must_not_overlap(channels):
    p = make((6, 7), Windows())
    mask = torch.zeros((6, 7), dtype=torch.bool)
    mask[2:4, 2:4] = True
    other = torch.zeros_like(mask)
    other[3:, 3:] = True
    with pytest.raises(InputError, match="regions: numbers 0 and 1 share voxels"):
        p.game(
            [Player(MaskRegion(mask), channels[0]), Player(MaskRegion(other), channels[1])],
            torch.zeros_like(p.image),
        )
    p.game([Player(MaskRegion(mask), 0), Player(MaskRegion(other), 1)], torch.zeros_like(p.image))


def test_nobody_plays():
    p = make((6, 7), Windows(roi=6, overlap=0.5))
    game = p.game([], torch.zeros_like(p.image))
    torch.testing.assert_close(
        game.values(torch.zeros((3, 0), dtype=torch.bool)), p.clean_scores().expand(3, -1)
    )


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("kind", ["logit", "probability"])
def test_batches_do_not_change_the_values(kind, batch):
    labels = blocks((7, 9, 8), (2, 1, 3))
    found = []
    for size in (64, batch):
        p = make((7, 9, 8), Windows(roi=6, overlap=0.5), kind, batch=size)
        game = p.game([Player(r) for r in regions_of(labels)], torch.zeros_like(p.image))
        found.append(game.values(some_coalitions(6, 9)))
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("at", [0, 1, 2, 5])
@pytest.mark.parametrize(
    ("kind", "owner", "attribute"),
    [("logit", terms.WindowTerms, "scores"), ("probability", Stitched, "part")],
)
def test_memory_that_runs_out_changes_no_value(kind, owner, attribute, at, monkeypatch):
    calls = iter(range(10**9))
    whole = getattr(owner, attribute)

    def fails_once(*args, **kwargs):
        if next(calls) == at:
            raise torch.OutOfMemoryError("out of memory (injected)")
        return whole(*args, **kwargs)

    def ask():
        p = make((7, 9, 8), Windows(roi=6, overlap=0.5), kind, batch=4)
        game = p.game(
            [Player(r) for r in regions_of(blocks((7, 9, 8), (2, 1, 3)))], torch.zeros_like(p.image)
        )
        return game.values(some_coalitions(6, 9))

    truth = ask()
    monkeypatch.setattr(owner, attribute, fails_once)
    torch.testing.assert_close(ask(), truth, rtol=1e-12, atol=1e-14)
    assert next(calls) > at, "memory did run out"


def test_single_precision_and_the_network_is_left_as_it_was():
    net = smooth_segmenter(3, 2)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    p = Problem(Model(net, windows=Windows(roi=6, overlap=0.5)), random_case((7, 9, 8), 2), "1")
    game = Game(
        p.engine,
        p.padded,
        torch.zeros_like(p.padded),
        [Player(r) for r in regions_of(blocks((7, 9, 8), (2, 1, 3)))],
    )
    values = game.values(some_coalitions(6, 3))
    assert values.dtype == torch.float64
    torch.testing.assert_close(values[5], p.clean_scores(), rtol=1e-5, atol=1e-6)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert all(m.requires_grad for m in net.parameters())


def test_distinct_rows_keep_their_order():
    rows = torch.tensor([[1, 0, 1], [0, 0, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=torch.bool)
    unique, places = distinct(rows)
    assert unique.int().tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert torch.equal(unique[places], rows)
    many = torch.from_numpy(np.random.default_rng(0).random((500, 21)) < 0.1)
    unique, places = distinct(many)
    assert torch.equal(unique[places], many)
    assert len(unique) == len({tuple(r.tolist()) for r in many})
