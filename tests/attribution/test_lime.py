"""LIME: its regression against scikit-learn and Captum, its values against brute force, exact on additive games."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from brute import LAYOUTS, SCORES, Brute
from captum._utils.models.linear_model import SkLearnLinearRegression
from captum.attr import Lime as CaptumLime
from networks import random_case
from peers import SETUPS, build
from sklearn.linear_model import Ridge
from torch import nn

from voxplain.attribution import method
from voxplain.attribution.perturbation.lime import proximity, surrogate
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model
from voxplain.target import AllClasses

pytestmark = pytest.mark.filterwarnings("ignore:You are using")


def lime(**parameters):
    return method("lime", **parameters)


def kernel(shown, distance, width):
    """exp(−d²/2w²), d written out for every row."""
    out = []
    for row in shown.double():
        ones = torch.ones_like(row)
        if distance == "cosine":
            norms = float(row.norm() * ones.norm())
            d = 1 - (float(row @ ones) / norms if norms else 0.0)
        else:
            d = float((ones - row).norm()) / math.sqrt(len(row))
        out.append(math.exp(-(d**2) / (2 * width**2)))
    return np.array(out)


@pytest.mark.parametrize("distance", ["cosine", "l2"])
def test_weights_are_the_kernel_of_the_distance(distance):
    shown = torch.from_numpy(np.random.default_rng(0).random((30, 9)) < 0.4)
    shown[0], shown[1] = True, False
    np.testing.assert_allclose(proximity(shown, distance, 0.3), kernel(shown, distance, 0.3), rtol=1e-12)


@pytest.mark.parametrize("ridge", [0.0, 1.0, 20.0])
def test_the_surrogate_is_scikit_learns(ridge):
    rng = np.random.default_rng(0)
    z = (rng.random((60, 7)) < 0.5).astype(float)
    values, weights = rng.normal(size=(60, 3)) + 5, rng.random(60)
    beta, r2 = surrogate(*map(torch.from_numpy, (z, values, weights)), ridge)
    for t in range(3):
        peer = Ridge(alpha=ridge).fit(z, values[:, t], sample_weight=weights)
        np.testing.assert_allclose(beta[:, t], peer.coef_, rtol=1e-9, atol=1e-12)
        assert float(r2[t]) == pytest.approx(peer.score(z, values[:, t], sample_weight=weights), rel=1e-9)


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_lime_over_windows_equals_brute_force(shape, windows, kind):
    """The same samples as whole images through MONAI's inference; scikit-learn's ridge on their scores."""
    brute = Brute(shape, windows, kind, seed=3)
    labels = np.random.default_rng(1).integers(0, 4, shape)  # 0 is nobody's and stays
    chosen = lime(regions=labels, samples=14, ridge=0.7, baseline=0.25, width=0.4)
    found = chosen.attribute(brute.problem)
    shown, image = chosen.shown(brute.problem), brute.problem.image
    assert shown.shape == (14, 3) and shown[0].all()
    values = []
    for row in shown:
        hidden = torch.from_numpy(np.isin(labels, 1 + np.flatnonzero(~row.numpy())))
        values.append(brute.scores(torch.where(hidden, torch.tensor(0.25, dtype=image.dtype), image)))
    values = torch.stack(values).numpy()
    weights = kernel(shown, "cosine", 0.4)
    for t in range(3):
        peer = Ridge(alpha=0.7).fit(shown.numpy(), values[:, t], sample_weight=weights)
        np.testing.assert_allclose(found.region_values[t], peer.coef_, rtol=1e-7, atol=1e-11)
        r2 = peer.score(shown.numpy(), values[:, t], sample_weight=weights)
        assert found.answers[t].checks["surrogate_r2"] == pytest.approx(r2, abs=1e-8)
        halves = [
            Ridge(alpha=0.7).fit(shown[k::2].numpy(), values[k::2, t], sample_weight=weights[k::2]).coef_
            for k in (0, 1)
        ]
        assert found.answers[t].checks["agreement"] == pytest.approx(np.corrcoef(*halves)[0, 1], abs=1e-6)
        assert found.answers[t].score == pytest.approx(values[0, t], rel=1e-9)
        density = torch.tensor(
            [0.0, *(found.region_values[t] / torch.tensor([(labels == k).sum() for k in (1, 2, 3)]))]
        )
        torch.testing.assert_close(
            found.values(t)[0].float(), density[torch.from_numpy(labels)].float(), rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize("setup", SETUPS)
def test_the_same_samples_give_captums_coefficients(setup):
    """Captum computes in single precision."""
    problem, scores = build(setup)
    labels = torch.from_numpy(np.random.default_rng(0).integers(0, 5, problem.spatial_shape))
    chosen = lime(regions=(labels + 1).numpy(), samples=40, baseline=0.3, paint="effect")
    found = chosen.attribute(problem)
    shown = chosen.shown(problem)

    def similarity(original, perturbed, z, **_):
        return float(kernel(z, "cosine", 0.25)[0])

    for t in range(3):
        rows = iter(shown)
        peer = CaptumLime(
            scores,
            interpretable_model=SkLearnLinearRegression(),
            similarity_func=similarity,
            perturb_func=lambda *_, rows=rows, **__: next(rows)[None].long(),
        )
        truth = peer.attribute(
            problem.image[None],
            baselines=0.3,
            target=t,
            feature_mask=labels.expand(1, *problem.image.shape),
            n_samples=40,
        )
        scale = float(truth.abs().max())
        torch.testing.assert_close(
            found.values(t).float(), truth[0, :1].detach().float(), rtol=1e-3, atol=1e-4 * scale
        )


class Linear(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        return x.flatten(1) @ self.weight.flatten(1).T + 3.0


@pytest.mark.parametrize("distance", ["cosine", "l2"])
@pytest.mark.parametrize("dims", [2, 3])
def test_an_additive_game_is_solved_exactly(dims, distance):
    """F(z) = const + Σ_r z_r Σ_{v ∈ r} w_v (x_v − b_v): β_r is the inner sum, whatever the weights, and R² is 1."""
    shape = (6, 8) if dims == 2 else (4, 5, 6)
    torch.manual_seed(0)
    net = Linear(torch.randn(2, 2, *shape)).double()
    model = Model(net, spatial_dims=dims, fixed_shape=shape, channels_in=2)
    problem = Problem(model, random_case(shape, 2), AllClasses(), dtype=torch.float64)
    found = lime(size=3, samples=60, baseline=0.5, distance=distance).attribute(problem)
    for t in range(2):
        share = net.weight.detach()[t] * (problem.image - 0.5)
        truth = torch.stack([share[(slice(None), *r.bounds)].sum() for r in found.regions])
        torch.testing.assert_close(found.region_values[t], truth, rtol=1e-9, atol=1e-11)
        assert found.answers[t].checks["surrogate_r2"] == pytest.approx(1.0, abs=1e-12)
        assert found.answers[t].checks["agreement"] == pytest.approx(1.0, abs=1e-9)


def test_a_score_that_is_not_additive_says_so():
    """F = Π of two halves' means around zero: no linear picture of it is right."""

    class Product(nn.Module):
        def forward(self, x):
            signs = torch.stack([x[:, 0, :, 4 * k : 4 * k + 4].mean((1, 2)) for k in range(4)], 1)
            return torch.stack([signs.prod(1), signs.sum(1)], 1)

    image = np.ones((1, 4, 16), np.float32)
    from voxplain.case import Case

    model = Model(Product().double(), spatial_dims=2, fixed_shape=(4, 16), channels_in=1)
    problem = Problem(model, Case("ones", image), AllClasses(), dtype=torch.float64)
    found = lime(size=(4, 4), samples=256, baseline=-1.0, width=10.0).attribute(problem)
    assert found.answers[0].checks["surrogate_r2"] < 0.2
    assert "linear picture explains only" in found.answers[0].note
    assert found.answers[1].checks["surrogate_r2"] == pytest.approx(1.0)


@pytest.mark.parametrize("setup", SETUPS)
def test_a_part_that_equals_the_baseline_gets_zero(setup):
    problem, _ = build(setup)
    image = problem.image.clone()
    image[..., :3] = 0.3
    found = lime(size=(*problem.spatial_shape[:-1], 3), samples=30, baseline=0.3).attribute(problem.at(image))
    assert not found.region_values[:, 0].any() and found.region_values[:, 1:].all()


def test_parts_are_64_supervoxels_where_nothing_is_asked_for():
    problem, _ = build((3, "segmentation", 1), smooth=1.5)
    default, asked = lime().parts(problem), lime(supervoxels=64).parts(problem)
    assert len(default) == len(asked) > 10
    assert sum(part.count for part in default) == problem.image[0].numel()


@pytest.mark.parametrize(
    "parameters",
    [
        {"size": 3, "samples": 25},
        {"width": 0.0},
        {"ridge": -1.0},
        {"distance": "l1"},
        {"supervoxels": 1},
        {"supervoxels": 5, "regions": np.ones((9, 12))},
    ],
    ids=str,
)
def test_impossible_parameters_are_refused(parameters):
    problem, _ = build((2, "segmentation", 1))  # 12 cubes of 3 need 26 samples
    with pytest.raises(InputError, match=r"^lime: "):
        lime(**parameters).attribute(problem)
