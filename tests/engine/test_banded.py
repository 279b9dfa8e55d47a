"""Maps handed over slab by slab are the maps, for the same passes, in bounded memory."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np
import pytest
import torch
from networks import InstanceNormSegmenter, classifier, random_case, smooth_segmenter

from voxplain.engine import Problem, banded, terms
from voxplain.engine.banded import Band, best_axis, pieces, spatial_order
from voxplain.engine.moments import OneDraw
from voxplain.engine.samplers import Noisy, clean
from voxplain.model import Model, Windows
from voxplain.target import AllClasses, Voxel

LAYOUTS = [
    pytest.param((9, 17), Windows(roi=6, overlap=0.5), id="2d-constant"),
    pytest.param((16, 11), Windows(roi=(6, 8), overlap=0.25, blend="gaussian"), id="2d-gaussian"),
    pytest.param((5, 19), Windows(roi=8, overlap=0.3, padding_value=0.4), id="2d-padded"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="reflect"), id="2d-reflect"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="replicate"), id="2d-replicate"),
    pytest.param((5, 12), Windows(roi=8, overlap=0.3, padding="circular"), id="2d-circular"),
    pytest.param(
        (8, 9, 14), Windows(roi=(6, 4, 6), overlap=(0.5, 0.25, 0.6), blend="gaussian"), id="3d-gaussian"
    ),
    pytest.param((4, 9, 3), Windows(roi=(6, 4, 6), overlap=0.8, blend="gaussian"), id="3d-padded"),
    pytest.param((8, 6, 8), Windows(), id="3d-whole"),
]


def problem(shape, windows, targets=None, *, classes=3, channels=1, **kwargs):
    net = smooth_segmenter(len(shape), channels=channels, classes=classes).double()
    model = Model(net, spatial_dims=len(shape), windows=windows)
    asked = AllClasses(background=True) if targets is None else targets
    return Problem(model, random_case(shape, channels=channels), asked, dtype=torch.float64, **kwargs)


def noisy(draws):
    return lambda p: Noisy(p.padded, p.noise(), torch.full((1, *(1,) * (p.image.dim() - 1)), 0.3), draws)


class Painted:
    """Whole maps from what was handed over, each voxel at most once."""

    def __init__(self, p, groups):
        shape = (len(p.targets), groups, *p.image.shape)
        self.maps = torch.zeros(shape, dtype=p.dtype)
        self.times = torch.zeros((len(p.targets), *p.spatial_shape), dtype=torch.int)
        self.slabs = []

    def __call__(self, t, where, block):
        assert block.shape[2:] == self.times[t][where].shape
        self.maps[(t, slice(None), slice(None), *where)] = block
        self.times[(t, *where)] += 1
        self.slabs.append((t, where))


@pytest.mark.parametrize("score", ["logit", "probability"])
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_slabs_make_up_the_maps_for_the_same_passes(shape, windows, score):
    p = problem(shape, windows, AllClasses(background=True, score=score), channels=2)
    before = p.passes.copy()
    truth = p.gradient(noisy(5))
    cost, between = p.passes - before, p.passes.copy()
    painted = Painted(p, 3)
    scores = p.banded(noisy(5), painted, groups=3)
    assert p.passes - between == cost
    assert painted.times.max() == 1
    torch.testing.assert_close(scores, truth.scores, rtol=1e-12, atol=1e-14)
    for t in range(3):
        assert truth.maps[t].abs().max() > 1e-6
        torch.testing.assert_close(painted.maps[t].sum(0), truth.maps[t], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_a_group_holds_every_so_manieth_draw(shape, windows):
    p = problem(shape, windows)
    painted = Painted(p, 2)
    p.banded(noisy(3), painted, groups=2)
    one = [p.gradient(lambda q, i=i: OneDraw(noisy(3)(q), i)) for i in range(3)]
    for t in range(3):
        torch.testing.assert_close(
            painted.maps[t, 0], one[0].maps[t] + one[2].maps[t], rtol=1e-10, atol=1e-14
        )
        torch.testing.assert_close(painted.maps[t, 1], one[1].maps[t], rtol=1e-10, atol=1e-14)


def test_the_clean_scores_are_remembered_as_of_the_gradient():
    p = problem((9, 17), Windows(roi=6, overlap=0.5))
    p.banded(lambda q: clean(q.padded), lambda *_: None)
    assert p.knows_clean_scores
    known, before = p.clean_scores(), p.passes.copy()
    torch.testing.assert_close(known, p.scores([p.image])[0], rtol=1e-12, atol=1e-14)
    assert (p.passes - before).forward == len(p.plan)


def test_absent_targets_have_no_score_and_no_slab():
    # a single voxel of the class that is nowhere predicted is no target
    p = problem((9, 17), Windows(roi=6, overlap=0.5), AllClasses(background=True), classes=3)
    p.plan.functionals[1], p.plan.present = None, [0, 2]
    painted = Painted(p, 1)
    assert torch.isnan(p.banded(noisy(2), painted)[:, 1]).all()
    assert {t for t, _ in painted.slabs} == {0, 2}


def test_a_classifier_has_one_slab():
    p = Problem(
        Model(classifier(2).double(), spatial_dims=2),
        random_case((8, 9)),
        AllClasses(background=True),
        dtype=torch.float64,
    )
    truth, painted = p.gradient(noisy(2)), Painted(p, 1)
    p.banded(noisy(2), painted)
    assert len(painted.slabs) == 3
    torch.testing.assert_close(painted.maps[2, 0], truth.maps[2], rtol=1e-12, atol=1e-15)


def test_instance_norm_and_single_precision():
    model = Model(InstanceNormSegmenter(3).eval(), windows=Windows(roi=6, overlap=0.5, blend="gaussian"))
    p = Problem(model, random_case((8, 9, 14)), AllClasses(background=True))
    truth, painted = p.gradient(noisy(4)), Painted(p, 2)
    p.banded(noisy(4), painted, groups=2)
    for t in p.present:
        error = (painted.maps[t].sum(0) - truth.maps[t]).abs().max() / truth.maps[t].abs().max()
        assert error < 1e-6


def test_blocks_that_are_told_add_up_to_the_draws():
    """On the padded image, whose adjoint of padding brings each draw's sum home."""
    p = problem((5, 12), Windows(roi=8, overlap=0.3, padding="reflect"))
    sums = torch.zeros((3, 2, *p.padded.shape), dtype=torch.float64)

    def each(t, where, block, draw):
        sums[(t, draw, slice(None), *where)] += block

    p.banded(noisy(2), lambda *_: None, each=each)
    for draw in range(2):
        truth = p.gradient(lambda q, i=draw: OneDraw(noisy(2)(q), i))
        for t in range(3):
            torch.testing.assert_close(p.unpad_gradient(sums[t, draw]), truth.maps[t], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("score", ["logit", "probability"])
def test_slabs_come_as_soon_as_no_later_window_touches_them(score):
    asked = AllClasses(background=True, score=score)
    p = problem((6, 9, 30), Windows(roi=6, overlap=0.5), asked, batch=1)
    order = spatial_order(p.plan, p.present, 2)
    assert order != sorted(order), "not the windows' own order"
    spent = np.cumsum([0, *(len(p.plan.touching[w]) for w in order)])
    done = []
    p.banded(lambda q: clean(q.padded), lambda t, where, block: done.append((p.passes.backward, t, where)))
    for passes, t, where in done:
        # the last window that holds some of the target and of the slab
        last = max(
            i
            for i, w in enumerate(order)
            if t in p.plan.touching[w] and p.plan.where(w)[2].start < where[2].stop
        )
        # one pass more, since a slab is handed over when the next block comes
        assert spent[last] < passes <= spent[last + 1] + 1
    assert min(passes for passes, _, _ in done) < spent[-1] / 3


def test_pieces_cover_what_the_windows_of_a_target_see_once():
    p = problem((11, 13), Windows(roi=5, overlap=0.4), [Voxel(index=(5, 6), class_name=1), "2", "0"])
    for axis in range(2):
        for t in range(3):
            seen = torch.zeros(p.plan.shape, dtype=torch.bool)
            for w in p.plan.windows([t]):
                seen[p.plan.where(w)] = True
            covered = torch.zeros(p.plan.shape, dtype=torch.int)
            for piece in pieces(p.plan, [t], axis):
                covered[piece.box] += 1
                for w in range(len(p.plan)):
                    along = p.plan.where(w)[axis]
                    meets = along.start < piece.box[axis].stop and along.stop > piece.box[axis].start
                    assert (w in piece.windows) == (meets and t in p.plan.touching[w])
            assert covered.max() == 1
            assert bool((covered.bool() >= seen).all())


def test_windows_go_along_the_axis_and_neighbours_are_alike():
    p = problem((11, 13), Windows(roi=5, overlap=0.4), [Voxel(index=(5, 6), class_name=1), "2", "0", "1"])
    targets = p.present
    order = spatial_order(p.plan, targets, 1)
    assert sorted(order) == p.plan.windows(targets)
    rows = [p.plan.where(w)[1].start for w in order]
    assert rows == sorted(rows)
    counts = [len(p.plan.touching[w]) for w in order]
    direction = {}
    for (a, b), (m, n) in zip(pairwise(rows), pairwise(counts), strict=True):
        if a == b and m != n:
            direction.setdefault(a, set()).add(m > n)
    assert all(len(d) == 1 for d in direction.values())
    number = {start: i for i, start in enumerate(sorted(set(rows)))}
    assert all(d == {number[start] % 2 == 0} for start, d in direction.items())
    assert len(direction) > 1


@pytest.mark.parametrize(
    ("shape", "axis"), [((6, 30, 9), 1), ((30, 6, 9), 0), ((9, 6, 30), 2)], ids=["second", "first", "third"]
)
def test_the_axis_is_the_one_that_leaves_least_unfinished(shape, axis):
    p = problem(shape, Windows(roi=6, overlap=0.5))
    assert best_axis(p.plan, p.present) == axis


def recorded(monkeypatch):
    bands = []

    class Kept(Band):
        def __post_init__(self):
            super().__post_init__()
            bands.append(self)

    monkeypatch.setattr(banded, "Band", Kept)
    return bands


def test_memory_stays_below_the_limit_however_many_the_targets(monkeypatch, tmp_path):
    bands, windows = recorded(monkeypatch), Windows(roi=6, overlap=0.5)
    limit = 3 * 2 * prod((3, 8, 9)) * 8 // 2  # half of three slabs of two groups of doubles
    for classes in (3, 12):
        free = problem((20, 8, 9), windows, classes=classes)
        truth = Painted(free, 2)
        free.banded(noisy(2), truth, groups=2)
        p = problem((20, 8, 9), windows, classes=classes, memory=limit, scratch=tmp_path)
        found, before = Painted(p, 2), p.passes.copy()
        p.banded(noisy(2), found, groups=2)
        assert torch.equal(found.maps, truth.maps)
        assert p.passes - before == p.cost(gradients=2)
    whole, few, more, many = bands
    assert not whole.spilled and not more.spilled
    assert few.spilled and many.spilled
    assert 0.5 * limit < few.largest <= limit and 0.5 * limit < many.largest <= limit
    assert more.largest > 1.5 * whole.largest, "without a limit it grows with the targets"
    assert all(band.held == 0 for band in bands)
    assert not list(tmp_path.rglob("*.raw"))


@pytest.mark.parametrize("shape", [(40, 6, 6), (6, 12, 40)])
@pytest.mark.parametrize("score", ["logit", "probability"])
def test_the_band_is_small_beside_the_maps(monkeypatch, shape, score):
    """In the second shape windows are numbered row by row across the image's long axis."""
    bands = recorded(monkeypatch)
    targets = AllClasses(background=True, score=score)
    p = problem(shape, Windows(roi=6, overlap=0.5), targets)
    p.banded(lambda q: clean(q.padded), lambda *_: None)
    maps = len(p.present) * p.image.numel() * 8
    # two rows of windows, and what the last one finished
    assert bands[0].largest <= maps * 9 / 40 * 1.01


@pytest.mark.parametrize("at", [0, 1, 2, 7])
@pytest.mark.parametrize("where", ["scores", "cotangent", "take", "begin", "each"])
def test_memory_that_runs_out_changes_nothing(where, at, monkeypatch):
    def run(p, fails=None):
        painted, sums = Painted(p, 2), torch.zeros(3, 2, dtype=torch.float64)

        def take(t, slab, block):
            if fails == "take":
                fail()
            painted(t, slab, block)

        def each(t, _, block, draw):
            if fails == "each":
                fail()
            sums[t, draw] += block.sum()

        scores = p.banded(noisy(2), take, groups=2, each=each)
        return painted.maps, sums, scores

    calls = iter(range(10**9))

    def fail():
        if next(calls) == at:
            raise torch.OutOfMemoryError("out of memory (injected)")

    def failing(owner, name):
        original = getattr(owner, name)

        def wrapped(*args, **kwargs):
            fail()
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, wrapped)

    shape, windows = (8, 9, 14), Windows(roi=6, overlap=0.5)
    truth = run(problem(shape, windows, batch=4))
    p = problem(shape, windows, batch=4)
    if where in ("scores", "cotangent"):
        failing(terms.WindowTerms, where)
    if where == "begin":
        failing(Band, "_begin")
    for found, expected in zip(run(p, where), truth, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-15)
    assert next(calls) > at, "the failure was never met"


def test_every_block_must_come():
    p = problem((9, 17), Windows(roi=6, overlap=0.5))
    band = Band([0], p.plan, p.layout, (1, 1), 1, axis=1, take=lambda *_: None)
    band.add(0, p.plan.where(p.plan.windows([0])[0]), torch.zeros(1, 6, 6), 0)
    with pytest.raises(AssertionError, match="not finished"):
        band.finish()
