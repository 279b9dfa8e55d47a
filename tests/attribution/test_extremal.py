"""Extremal perturbation: gradients against finite differences, masks against their definition, boxes found."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from brute import LAYOUTS, SCORES, Brute
from networks import random_case, smooth_segmenter
from scipy import ndimage
from torch import nn

from voxplain.attribution import method
from voxplain.attribution.perturbation.mask_search import MaskSearch, off_area
from voxplain.attribution.perturbation.smooth_mask import Faded, SmoothMasks, blurs
from voxplain.case import Case, Geometry
from voxplain.engine import Problem
from voxplain.engine.own import OwnInputs
from voxplain.engine.stitched import Stitched
from voxplain.engine.terms import WindowTerms
from voxplain.errors import InputError, ModelError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses


def extremal(**parameters):
    return method("extremal_perturbation", **parameters)


def searching(chosen, problem, levels, ends, targets):
    return MaskSearch(problem, chosen.masks(problem), levels, ends, targets, chosen.mode, 1, 0.1)


def faded(levels, mask):
    """Between the levels, by NumPy's own piecewise linear interpolation, voxel by voxel."""
    out = np.empty(levels.shape[1:])
    for v in np.ndindex(*levels.shape[2:]):
        for c in range(levels.shape[1]):
            values = levels[(slice(None), c, *v)].numpy()
            out[(c, *v)] = np.interp(float(mask[v]), np.linspace(0, 1, len(levels)), values)
    return torch.from_numpy(out)


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_each_targets_gradient_is_that_of_its_own_masked_image(shape, windows, kind):
    """Finite differences of MONAI's stitched score, for a different mask of every target."""
    brute = Brute(shape, windows, kind)
    chosen = extremal(mode="preserve", sigma=2.0, levels=4)
    levels = chosen._levels(brute.problem)
    assert torch.equal(levels[-1], brute.problem.image)
    ends = torch.stack([brute.scores(levels[-1]), brute.scores(levels[0])])
    search = searching(chosen, brute.problem, levels, ends, [0, 2])
    rng = np.random.default_rng(0)
    masks = torch.from_numpy(rng.uniform(0.02, 0.98, (2, *shape)))
    masks = masks + 0.05 * (((3 * masks) % 1) < 0.05)  # away from the kinks, where two levels meet
    found = search.gradient(masks, "test")
    h = 1e-5
    for k, t in enumerate((0, 2)):
        for v in [tuple(rng.integers(n) for n in shape) for _ in range(2)] + [(0,) * len(shape)]:
            moved = [masks[k].clone(), masks[k].clone()]
            moved[0][v] += h
            moved[1][v] -= h
            up, down = (brute.scores(faded(levels, m))[t] for m in moved)
            truth = float((up - down) / (2 * h) / (ends[0, t] - ends[1, t]).abs())
            assert float(found[(k, *v)]) == pytest.approx(truth, rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("mode", ["preserve", "delete"])
def test_masks_grow_where_they_help(mode):
    """``delete`` hides 1 − (1 − m): its gradient is that of the score behind 1 − m, turned round twice."""
    brute = Brute((9, 11), Windows(roi=6, overlap=0.5), "logit")
    chosen = extremal(mode=mode, baseline=0.1)
    levels = chosen._levels(brute.problem)
    ends = torch.stack([brute.scores(levels[1]), brute.scores(levels[0])])
    search = searching(chosen, brute.problem, levels, ends, [1])
    masks = torch.from_numpy(np.random.default_rng(0).uniform(0.1, 0.9, (1, 9, 11)))
    gradient, h = search.gradient(masks, "test"), 1e-5

    def gain(m):
        if mode == "preserve":
            return brute.scores(faded(levels, m))[1]
        return -brute.scores(faded(levels, 1 - m))[1]

    for v in [(0, 0), (4, 5), (8, 3)]:
        moved = [masks[0].clone(), masks[0].clone()]
        moved[0][v] += h
        moved[1][v] -= h
        truth = float((gain(moved[0]) - gain(moved[1])) / (2 * h) / (ends[0, 1] - ends[1, 1]).abs())
        assert float(gradient[(0, *v)]) == pytest.approx(truth, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("kind", ["logit", "probability"])
@pytest.mark.parametrize("batch", [1, 3, None])
def test_targets_with_own_inputs_get_their_own_scores(kind, batch):
    net = smooth_segmenter(3).double()
    problem = Problem(
        Model(net, windows=Windows(roi=6, overlap=0.5)),
        random_case((8, 9, 7)),
        AllClasses(background=True, score=kind),
        dtype=torch.float64,
        batch=batch,
    )
    levels = torch.stack([torch.zeros_like(problem.image), problem.image])
    masks = {t: torch.full((8, 9, 7), 0.2 + 0.3 * t, dtype=torch.float64) for t in (0, 2)}
    own = OwnInputs(problem.engine)
    told, before = own.cost([0, 2], 0, 1), problem.passes.copy()
    found = own.scores(Faded(problem.canvas(), levels, masks), [0, 2])
    assert problem.passes - before == told
    truth = problem.scores([0.2 * problem.image, 0.8 * problem.image])
    torch.testing.assert_close(found[[0, 2]], torch.stack([truth[0, 0], truth[1, 2]]))
    assert found[1].isnan()


@pytest.mark.parametrize("at", [0, 1, 5])
@pytest.mark.parametrize(
    ("kind", "owner", "attribute"),
    [
        ("logit", WindowTerms, "scores"),
        ("logit", WindowTerms, "cotangent"),
        ("probability", Stitched, "part"),
        ("probability", WindowTerms, "cotangent"),
    ],
)
def test_memory_that_runs_out_counts_nothing_twice(kind, owner, attribute, at, monkeypatch):
    brute = Brute((9, 11), Windows(roi=6, overlap=0.5), kind)
    levels = torch.stack([torch.zeros_like(brute.problem.image), brute.problem.image])
    masks = {t: torch.full((9, 11), 0.4 + 0.2 * t, dtype=torch.float64) for t in range(3)}
    sampler = Faded(brute.problem.canvas(), levels, masks)

    def ask():
        sums = torch.zeros((3, 2, 9, 11), dtype=torch.float64)

        def take(t, where, block):
            sums[(t, slice(None), *where)] += block

        return OwnInputs(brute.problem.engine).gradients(sampler, [0, 1, 2], take, "test"), sums

    truth, calls, function = ask(), iter(range(10**6)), getattr(owner, attribute)

    def fails_once(*args, **kwargs):
        if next(calls) == at:
            raise torch.OutOfMemoryError("out of memory (injected)")
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, attribute, fails_once)
    for found, expected in zip(ask(), truth, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


def explicit_mask(masks, values):
    """The soft max-convolution by its definition, a loop per axis, then linear between the nodes."""
    for axis in range(values.ndim):
        step, width, n = masks.steps[axis], masks.width[axis], values.shape[axis]
        moved = np.moveaxis(values, axis, 0)
        out = np.zeros_like(moved)
        for i in range(n):
            radius = int(1.75 * width / step)
            terms = []
            for j in range(i - radius, i + radius + 1):
                k = np.exp(-4 * max(abs(i - j) * step / width - 0.5, 0) ** 2)
                terms.append(k * moved[j] if 0 <= j < n else np.zeros_like(moved[0]))
            terms = np.array(terms)
            weights = np.exp(20 * terms)
            out[i] = (terms * weights).sum(0) / weights.sum(0)
        values = np.moveaxis(out, 0, axis)
    places = np.meshgrid(
        *(np.arange(s) / c for s, c in zip(masks.shape, masks.steps, strict=True)), indexing="ij"
    )
    return ndimage.map_coordinates(values, places, order=1, mode="nearest")


@pytest.mark.parametrize(
    "masks",
    [
        SmoothMasks((11, 14), (4.0, 7.0)),
        SmoothMasks((9, 6, 8), (5.0, 2.0, 3.5)),
        SmoothMasks((6, 7), (1.0, 0.4)),
    ],
    ids=str,
)
def test_masks_are_what_their_definition_says(masks):
    values = np.random.default_rng(0).random((2, *masks.nodes))
    found = masks(torch.from_numpy(values))
    for k in range(2):
        np.testing.assert_allclose(found[k], explicit_mask(masks, values[k]), rtol=1e-10, atol=1e-12)
    for value in (0.0, 1.0):
        flat = masks(torch.full((1, *masks.nodes), value, dtype=torch.float64))
        assert flat.shape == (1, *masks.shape)
        assert float((flat - value).abs().max()) < 1e-2


def test_nothing_finer_than_the_width_can_be_drawn():
    """One node of a width of 8 voxels: flat for 4 voxels on each side, 1/e at 8, nothing beyond 14 but the step to it."""
    masks = SmoothMasks((41,), (8.0,))
    assert masks.steps == (4,) and masks.nodes == (11,)
    values = torch.zeros((1, 11), dtype=torch.float64)
    values[0, 5] = 1
    found = masks(values)[0]
    assert float(found[16:25].min()) > 0.999
    assert float(found[28]) == pytest.approx(np.exp(-1), abs=0.02)
    assert float(found[:5].max()) == 0


def test_the_area_is_penalised_as_published():
    """|sort(M) − r_a|², r_a = 0 … 0 1 … 1 with a share a of ones."""
    mask = torch.tensor([[0.2, 1.0, 0.0, 0.7]], dtype=torch.float64)
    assert float(off_area(mask, 0.5)) == pytest.approx((0.2**2 + 0.3**2) / 4)
    assert float(off_area(mask, 0.25)) == pytest.approx((0.2**2 + 0.7**2) / 4)
    assert float(off_area(torch.tensor([[1.0, 0, 0, 1.0]]), 0.5)) == 0


@pytest.mark.parametrize("dims", [2, 3])
def test_levels_go_from_the_strongest_blur_to_the_image(dims):
    shape = (9, 8, 7)[:dims]
    problem = Problem(
        Model(smooth_segmenter(dims, 2)), random_case(shape, 2), AllClasses(), dtype=torch.float64
    )
    levels = blurs(problem.image, (3.0, 1.5, 2.0)[:dims], 4)
    for k, share in enumerate((1, 2 / 3, 1 / 3)):
        for c in range(2):
            sigma = [share * s for s in (3.0, 1.5, 2.0)[:dims]]
            truth = ndimage.gaussian_filter(problem.image[c].numpy(), sigma, mode="nearest")
            np.testing.assert_allclose(levels[k, c], truth, rtol=1e-12)
    assert torch.equal(levels[3], problem.image)


def test_lengths_are_millimetres():
    """Voxels of 2 × 1 × 4 mm: 8 mm are 4, 8 and 2 voxels; by default a sixteenth of 48 mm."""
    case = Case("c", random_case((24, 24, 12)).image, Geometry(np.diag([2.0, 1.0, 4.0, 1.0]), (24, 24, 12)))
    problem = Problem(Model(smooth_segmenter(3)), case, AllClasses())
    assert extremal(width=8.0).masks(problem).width == (4.0, 8.0, 2.0)
    assert extremal().masks(problem).width == (1.5, 3.0, 0.75)


class Box(nn.Module):
    """Classifier whose score is what a box holds of a pattern."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        score = (x * self.weight).flatten(1).sum(1)
        return torch.stack([score, score - 1], 1)


BOXES = [
    pytest.param((24, 20), (slice(8, 14), slice(5, 10)), id="2d"),
    pytest.param((20, 26), (slice(2, 7), slice(17, 22)), id="2d-edge"),
    pytest.param((14, 12, 13), (slice(4, 9), slice(3, 8), slice(5, 10)), id="3d"),
]


def box_problem(shape, box, seed=40):
    """Noise of magnitude ½ to 3/2, of which the score reads the signs inside the box."""
    rng = np.random.default_rng(seed)
    image = (rng.choice([-1, 1], shape) * rng.uniform(0.5, 1.5, shape))[None].astype(np.float32)
    weight = torch.zeros((1, *shape), dtype=torch.float64)
    weight[(0, *box)] = torch.from_numpy(np.sign(image[(0, *box)])).double()
    model = Model(Box(weight), spatial_dims=len(shape), fixed_shape=shape, channels_in=1)
    return Problem(model, Case("box", image), "0", dtype=torch.float64), weight[0] != 0


def iou(a, b):
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("hide", [{"baseline": 0.0}, {"sigma": 3.0}], ids=["fade", "blur"])
@pytest.mark.parametrize("mode", ["preserve", "delete"])
@pytest.mark.parametrize(("shape", "box"), BOXES)
def test_the_box_that_the_score_reads_is_found(shape, box, mode, hide):
    problem, truth = box_problem(shape, box)
    area = float(truth.double().mean())
    found = extremal(areas=area, mode=mode, width=2.0, **hide).attribute(problem)
    mask, checks = found.values(0)[0], found.answers[0].checks
    assert float(mask.min()) >= 0 and float(mask.max()) <= 1
    assert iou(mask > 0.5, truth) > 0.8
    assert checks["area_error"] < 0.2 * area
    assert checks["kept_score"] > 0.8 and checks["deleted_score"] < 0.2
    assert found.passes.forward == found.passes.backward + 4


@pytest.mark.parametrize("kind", ["logit", "probability"])
@pytest.mark.parametrize("dims", [2, 3])
def test_the_cost_told_is_the_cost_paid(dims, kind):
    shape = (16, 18) if dims == 2 else (10, 12, 9)
    problem = Problem(
        Model(smooth_segmenter(dims).double(), windows=Windows(roi=8, overlap=0.5)),
        random_case(shape),
        AllClasses(background=True, score=kind),
        dtype=torch.float64,
    )
    chosen = extremal(areas=(0.1, 0.3), steps=4, width=2.0)
    told = chosen.cost(problem)
    found = chosen.attribute(problem)
    assert (told.forward, told.backward) == (found.passes.forward, found.passes.backward)
    assert all(a.status == "ok" for a in found.answers)


@pytest.mark.parametrize("kind", ["logit", "probability"])
@pytest.mark.parametrize("mode", ["preserve", "delete"])
def test_what_a_mask_keeps_and_leaves_is_told(mode, kind):
    """0 is the hidden image's score, 1 the image's; recomputed by MONAI from the map, which with one area is the mask."""
    brute = Brute((10, 13), Windows(roi=(6, 8), overlap=0.25, blend="gaussian"), kind)
    chosen = extremal(areas=0.2, mode=mode, steps=8, width=2.0)
    found = chosen.attribute(brute.problem)
    levels = chosen._levels(brute.problem)
    clean, hidden = brute.scores(levels[-1]), brute.scores(levels[0])
    for t in range(3):
        mask, checks = found.values(t)[0], found.answers[t].checks
        for name, m in (("kept_score", mask), ("deleted_score", 1 - mask)):
            truth = float((brute.scores(faded(levels, m))[t] - hidden[t]) / (clean[t] - hidden[t]))
            assert checks[name] == pytest.approx(truth, rel=1e-6, abs=1e-9)
        assert checks["area_error"] == pytest.approx(abs(float((mask > 0.5).double().mean()) - 0.2))
        assert found.answers[t].score == pytest.approx(float(clean[t]))


def test_the_map_is_the_mean_of_the_areas_masks():
    brute = Brute((9, 11), Windows(roi=6, overlap=0.5), "logit")
    both = extremal(areas=(0.1, 0.3), steps=5, width=2.0).attribute(brute.problem)
    alone = [extremal(areas=a, steps=5, width=2.0).attribute(brute.problem) for a in (0.1, 0.3)]
    for t in range(3):
        mean = (alone[0].values(t) + alone[1].values(t)) / 2
        torch.testing.assert_close(both.values(t), mean, rtol=1e-9, atol=1e-12)
        kept = [a.answers[t].checks["kept_score"] for a in alone]
        assert both.answers[t].checks["kept_score"] == pytest.approx(np.mean(kept))


def test_targets_do_not_disturb_each_other(monkeypatch):
    """One by one, or in one group: the same masks."""
    brute = Brute((9, 11), Windows(roi=6, overlap=0.5), "logit")
    together = extremal(areas=0.2, steps=6, width=2.0).attribute(brute.problem)
    monkeypatch.setattr("voxplain.attribution.perturbation.extremal.GROUP_BYTES", 1)
    alone = extremal(areas=0.2, steps=6, width=2.0).attribute(brute.problem)
    assert together.passes.backward == alone.passes.backward
    for t in range(3):
        torch.testing.assert_close(together.values(t), alone.values(t), rtol=1e-9, atol=1e-12)


def test_a_score_that_ignores_the_image_has_status_zero():
    net = smooth_segmenter(2)
    with torch.no_grad():
        net[0].weight.zero_()
    problem = Problem(Model(net), random_case((8, 8)), AllClasses(background=True))
    found = extremal(steps=3).attribute(problem)
    assert {a.status for a in found.answers} == {"zero"}


def test_a_network_without_gradient_is_told_what_works():
    class Steps(nn.Module):
        def forward(self, x):
            return torch.cat([x, -x], 1).round().detach()

    problem = Problem(Model(Steps(), spatial_dims=2), random_case((8, 8)), AllClasses(background=True))
    with pytest.raises(ModelError, match="no gradient leads"):
        extremal(steps=3).attribute(problem)


@pytest.mark.parametrize(
    "parameters",
    [{"areas": ()}, {"areas": 0.0}, {"areas": (0.1, 1.0)}, {"mode": "keep"}, {"steps": 0}, {"levels": 1}]
    + [{name: 0.0} for name in ("rate", "width", "sigma")],
    ids=str,
)
def test_impossible_parameters_are_refused(parameters):
    with pytest.raises(InputError, match=r"^extremal_perturbation: found"):
        extremal(**parameters)
