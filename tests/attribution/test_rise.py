"""RISE: its masks against an interpolation of another library, its map against the formula and a closed form."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from brute import LAYOUTS, SCORES, Brute
from networks import random_case, smooth_segmenter
from scipy import ndimage
from torch import nn

from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.engine.coarse import CoarseMasks
from voxplain.errors import InputError
from voxplain.model import Model, Windows
from voxplain.target import AllClasses

MASKS = [CoarseMasks((9, 11), (3, 4), 0.4, 7), CoarseMasks((6, 5, 7), (2, 5, 3), 0.6, 7)]


def rise(**parameters):
    return method("rise", **parameters)


def everywhere(shape):
    return tuple(slice(0, s) for s in shape)


@pytest.mark.parametrize("masks", MASKS, ids=["2d", "3d"])
def test_a_mask_is_its_grid_interpolated_at_its_shift(masks):
    for draw in range(20):
        nodes, shift = masks.grid(draw)
        places = np.meshgrid(
            *((np.arange(n) + s) / c for n, s, c in zip(masks.shape, shift, masks.cell, strict=True)),
            indexing="ij",
        )
        truth = ndimage.map_coordinates(nodes.astype(float), places, order=1, mode="constant", cval=np.nan)
        np.testing.assert_allclose(masks.box(draw, everywhere(masks.shape)), truth, atol=1e-12)


@pytest.mark.parametrize("masks", MASKS, ids=["2d", "3d"])
def test_a_box_of_a_mask_is_part_of_the_whole(masks):
    whole = masks.box(3, everywhere(masks.shape))
    for where in (
        tuple(slice(1, n) for n in masks.shape),
        tuple(slice(n // 2, n // 2 + 2) for n in masks.shape),
    ):
        assert torch.equal(masks.box(3, where), whole[where])
    assert not torch.equal(masks.box(4, everywhere(masks.shape)), whole)


def test_no_mask_is_drawn_twice():
    masks = CoarseMasks((30, 30), (2, 2), 0.5, 0)
    assert len({masks.grid(i)[0].tobytes() for i in range(50)}) == 50


@pytest.mark.parametrize("masks", MASKS, ids=["2d", "3d"])
def test_every_voxel_has_the_same_mean_and_variance(masks):
    """Var = p (1 − p) Π_axis mean_j [(1 − j/c)² + (j/c)²], by hand for cells of 2, 3, 4, 5: 3/4, 19/27, 11/16, 17/25."""
    by_hand = {2: 3 / 4, 3: 19 / 27, 4: 11 / 16, 5: 17 / 25}
    variance = masks.keep * (1 - masks.keep) * np.prod([by_hand[c] for c in masks.cell])
    assert masks.variance == pytest.approx(variance, rel=1e-12)
    made = torch.stack([masks.box(i, everywhere(masks.shape)) for i in range(4000)])
    assert float((made.mean(0) - masks.keep).abs().max()) < 5 * (variance / 4000) ** 0.5
    assert float((made.var(0) / variance - 1).abs().max()) < 0.15
    assert made.min() >= 0 and made.max() <= 1


def formula(masks, scores, keep, variance, estimate):
    """Petsiuk et al. 2018, eq. 6, and the covariance over the variance: (N, *S), (N, T) -> (T, *S)."""
    n = len(masks)
    if estimate == "published":
        return torch.einsum("nt,n...->t...", scores, masks) / (n * keep)
    s, m = scores - scores.mean(0), masks - masks.mean(0)
    return torch.einsum("nt,n...->t...", s, m) / (n - 1) / variance


@pytest.mark.parametrize("estimate", ["covariance", "published"])
@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_rise_over_windows_equals_brute_force(shape, windows, kind, estimate):
    """The same masks on whole images through MONAI's inference, and the formula written out."""
    brute = Brute(shape, windows, kind, seed=2)
    chosen = rise(draws=7, cells=3, keep=0.4, estimate=estimate, baseline=0.25)
    found = chosen.attribute(brute.problem)
    made = chosen.masks(brute.problem)
    masks = torch.stack([made.box(i, everywhere(shape)) for i in range(7)])
    scores = torch.stack([brute.scores(0.25 + m * (brute.problem.image - 0.25)) for m in masks])
    truth = formula(masks, scores, 0.4, made.variance, estimate)
    for t in range(3):
        torch.testing.assert_close(found.values(t)[0], truth[t], rtol=1e-8, atol=1e-11)
        assert found.answers[t].score == pytest.approx(float(brute.scores(brute.problem.image)[t]), rel=1e-9)
        weights = formula(torch.eye(7, dtype=torch.float64), scores, 0.4, made.variance, estimate)[t]
        if estimate == "covariance":  # Cov(F, e_i) is the weight of mask i
            halves = [torch.einsum("n,n...->...", weights[k::2], masks[k::2]).flatten() for k in (0, 1)]
            agreement = float(torch.corrcoef(torch.stack(halves))[0, 1])
            assert found.answers[t].checks["agreement"] == pytest.approx(agreement, abs=1e-9)


def test_slabs_and_chunks_do_not_change_the_map(monkeypatch):
    problem = Problem(Model(smooth_segmenter(3)), random_case((6, 5, 7)), AllClasses(), dtype=torch.float64)
    whole = rise(draws=19, cells=3).attribute(problem)
    monkeypatch.setattr("voxplain.attribution.perturbation.rise.SLAB_BYTES", 1)
    monkeypatch.setattr("voxplain.attribution.perturbation.rise.CHUNK", 5)
    slabs = rise(draws=19, cells=3).attribute(problem)
    for t in problem.present:
        torch.testing.assert_close(slabs.values(t), whole.values(t), rtol=1e-10, atol=1e-12)
        assert slabs.answers[t].checks["agreement"] == pytest.approx(whole.answers[t].checks["agreement"])


class Linear(nn.Module):
    def __init__(self, weight, offset=0.0):
        super().__init__()
        self.weight, self.offset = nn.Parameter(weight), offset

    def forward(self, x):
        return x.flatten(1) @ self.weight.flatten(1).T + self.offset


def hats(size, cell):
    """Weight of each node for each voxel, for every shift: (cell, size, nodes), by the definition of the hat."""
    place = (np.arange(size)[None] + np.arange(cell)[:, None]) / cell
    return np.clip(1 - np.abs(place[..., None] - np.arange(place.max() + 2)), 0, None)


@pytest.mark.parametrize("dims", [2, 3])
def test_linear_network_in_closed_form(dims):
    """E[map(v)] = Σ_u w_u (x_u − b_u) Cov(M(u), M(v)) / Var M, and nodes are independent, so over the shifts

    Cov(M(u), M(v)) = p (1 − p) Π_axis mean_shift Σ_k hat_k(u) hat_k(v). The map's error is of order 1/√draws.
    """
    shape, cells, draws = ((8, 7), (4, 3), 3000) if dims == 2 else ((5, 4, 6), (2, 3, 3), 3000)
    torch.manual_seed(1)
    net = Linear(torch.randn(2, 1, *shape)).double()
    model = Model(net, spatial_dims=dims, fixed_shape=shape, channels_in=1)
    problem = Problem(model, random_case(shape), AllClasses(), dtype=torch.float64)
    chosen = rise(draws=draws, cells=cells, keep=0.3, baseline=0.5)
    found = chosen.attribute(problem)
    cell = chosen.masks(problem).cell
    assert cell == tuple(-(-s // n) for s, n in zip(shape, cells, strict=True))
    axes = [
        np.einsum("suk,svk->uv", h, h) / c
        for c, h in ((c, hats(s, c)) for s, c in zip(shape, cell, strict=True))
    ]
    joint = axes[0]
    for a in axes[1:]:
        joint = np.kron(joint, a)
    for t in range(2):
        share = (net.weight.detach()[t] * (problem.image - 0.5)).flatten().numpy()
        truth = joint @ share / joint[0, 0]
        # standard error of a covariance over a variance, from the score's own spread
        spread = np.sqrt(share @ joint @ share / joint[0, 0] / draws)
        error = found.values(t).flatten().numpy() - truth
        assert np.abs(error).max() < 6 * spread
        assert np.abs(truth).max() > 15 * spread, "the test would see half of it missing"


def constant_problem(offset):
    net = Linear(torch.zeros(2, 1, 8, 8), offset=offset).double()
    return Problem(
        Model(net, spatial_dims=2, fixed_shape=(8, 8), channels_in=1),
        random_case((8, 8)),
        AllClasses(),
        dtype=torch.float64,
    )


def test_a_constant_score_is_answered_with_zero_and_the_published_formula_with_noise():
    found = rise(draws=30).attribute(constant_problem(5.0))
    assert {a.status for a in found.answers} == {"zero"} and not found.values(0).any()
    published = rise(draws=30, estimate="published").attribute(constant_problem(5.0))
    assert published.answers[0].status == "ok"
    assert float(published.values(0).std()) > 0.1, "how often a voxel happened to be shown"


@pytest.mark.parametrize("estimate", ["covariance", "published"])
def test_only_the_published_map_depends_on_the_scores_zero(estimate):
    torch.manual_seed(0)
    weight = torch.randn(2, 1, 8, 8)
    maps = []
    for offset in (0.0, 100.0):
        model = Model(Linear(weight, offset).double(), spatial_dims=2, fixed_shape=(8, 8), channels_in=1)
        problem = Problem(model, random_case((8, 8)), AllClasses(), dtype=torch.float64)
        maps.append(rise(draws=40, estimate=estimate).attribute(problem).values(0).flatten())
    correlation = float(torch.corrcoef(torch.stack(maps))[0, 1])
    assert correlation > 1 - 1e-9 if estimate == "covariance" else correlation < 0.8


def test_all_targets_share_the_passes_of_a_mask():
    problem = Problem(
        Model(smooth_segmenter(3), windows=Windows(roi=6, overlap=0.5)),
        random_case((8, 9, 7)),
        AllClasses(background=True),
    )
    found = rise(draws=5, cells=3).attribute(problem)
    assert (found.passes.forward, found.passes.backward) == ((5 + 1) * len(problem.plan), 0)


def test_cells_are_as_wide_as_asked_for():
    problem = Problem(Model(smooth_segmenter(2)), random_case((16, 9)), AllClasses())
    assert rise(cells=4).masks(problem).cell == (4, 4)
    assert rise(cells=(4, 3)).masks(problem).cell == (4, 3)
    assert rise(cells=1).masks(problem).cell == (16, 9)
    assert rise(cells=40).masks(problem).cell == (1, 1)


@pytest.mark.parametrize(
    "parameters",
    [{"draws": 3}, {"keep": 0.0}, {"keep": 1.0}, {"cells": 0}, {"cells": (2, 2, 2)}, {"estimate": "other"}],
    ids=str,
)
def test_impossible_parameters_are_refused(parameters):
    with pytest.raises(InputError, match=r"^rise: "):
        rise(**parameters).attribute(constant_problem(0.0))


def test_every_combination_of_nodes_is_drawn():
    """2 × 2 nodes and no shift: 16 grids, all drawn in 400."""
    masks = CoarseMasks((1, 1), (1, 1), 0.5, 0)
    grids = {tuple(masks.grid(i)[0].ravel().tolist()) for i in range(400)}
    assert grids == set(product([False, True], repeat=4))
