"""Feature permutation equals brute force, its closed form on a linear network, and Captum's with a donor."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from brute import LAYOUTS, SCORES, Brute
from captum.attr import FeaturePermutation as CaptumPermutation
from networks import random_case, smooth_segmenter
from peers import SETUPS, build
from scipy import stats

from voxplain.attribution import OtherCase, method
from voxplain.attribution.regions import Box
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.engine.changes import Shuffled
from voxplain.errors import InputError
from voxplain.model import Model
from voxplain.target import AllClasses


def permutation(**parameters):
    return method("feature_permutation", **parameters)


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize(("shape", "windows"), LAYOUTS)
def test_permutation_over_windows_equals_brute_force(shape, windows, kind):
    """Scattered regions, whose shuffled values must be the same in every window that sees a part of them."""
    brute = Brute(shape, windows, kind, seed=4)
    labels = np.random.default_rng(1).integers(0, 3, shape)
    found = permutation(regions=labels, draws=3).attribute(brute.problem)
    image = brute.problem.image
    for r, region in enumerate(found.regions):
        member = torch.from_numpy(labels == r + 1)
        lost = torch.zeros(3, dtype=torch.float64)
        for d in range(3):
            order = Shuffled(region, 4, (r, d)).order()
            changed = image.clone()
            changed[:, member] = image[:, member][:, order]
            lost += (brute.scores(image) - brute.scores(changed)) / 3
        assert lost.abs().max() > 1e-6
        torch.testing.assert_close(found.region_values[:, r], lost, rtol=1e-9, atol=1e-12)
    for t in range(3):
        density = torch.tensor([0.0, *found.region_values[t]], dtype=torch.float64)
        density[1:] /= torch.tensor([float((labels == k).sum()) for k in (1, 2)])
        torch.testing.assert_close(found.values(t)[0], density[torch.from_numpy(labels)])


def test_orders_are_permutations_all_equally_likely():
    """3 voxels, 6 orders, 1200 draws: χ² with 5 degrees of freedom."""
    region = Box((slice(1, 4), slice(2, 3)))
    orders = [tuple(Shuffled(region, 0, (0, d)).order().tolist()) for d in range(1200)]
    kinds, counts = np.unique(np.array(orders), axis=0, return_counts=True)
    assert len(kinds) == 6 and set(map(tuple, kinds.tolist())) == set(orders)
    assert stats.chisquare(counts).pvalue > 0.01
    assert not torch.equal(
        Shuffled(Box((slice(0, 9),)), 0, (0, 0)).order(), Shuffled(Box((slice(0, 9),)), 0, (1, 0)).order()
    )


class Linear(torch.nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = torch.nn.Parameter(weight)

    def forward(self, x):
        return x.flatten(1) @ self.weight.flatten(1).T


@pytest.mark.parametrize("channels", [1, 2])
def test_linear_network_in_closed_form(channels):
    """E[F(x) − F(x shuffled in r)] = Σ_{v ∈ r} w_v (x_v − mean_r x), channel by channel.

    For n voxels Var[Σ_v w_v x_π(v)] = Σ(w − w̄)² Σ(x − x̄)² / (n − 1), and less than (Σ_c σ_c)² over channels.
    """
    shape, draws = (6, 8), 600
    torch.manual_seed(0)
    net = Linear(torch.randn(2, channels, *shape)).double()
    model = Model(net, spatial_dims=2, fixed_shape=shape, channels_in=channels)
    problem = Problem(model, random_case(shape, channels), AllClasses(), dtype=torch.float64)
    found = permutation(size=3, draws=draws).attribute(problem)
    assert len(found.regions) == 6
    for t, r in np.ndindex(2, 6):
        box = (slice(None), *found.regions[r].bounds)
        w, x = (a[box].flatten(1) for a in (net.weight.detach()[t], problem.image))
        w0, x0 = (a - a.mean(1, keepdim=True) for a in (w, x))
        truth = float((w * x0).sum())
        deviation = float(((w0**2).sum(1) * (x0**2).sum(1) / (x.shape[1] - 1)).sqrt().sum())
        assert abs(float(found.region_values[t, r]) - truth) < 4 * deviation / draws**0.5
        assert found.answers[t].checks["agreement"] > 0.98


@pytest.mark.parametrize("setup", SETUPS)
def test_a_part_of_one_intensity_has_no_order_to_lose(setup):
    problem, _ = build(setup)
    flat = problem.at(torch.ones_like(problem.image))
    found = permutation(size=3, draws=2).attribute(flat)
    assert {a.status for a in found.answers} == {"zero"}


@pytest.mark.parametrize("setup", SETUPS)
def test_with_one_donor_it_is_captums(setup):
    """Captum permutes over the batch: with two cases, the only other order swaps them."""
    problem, scores = build(setup)
    other = random_case(problem.spatial_shape, setup[2], seed=9)
    labels = torch.from_numpy(np.random.default_rng(2).integers(0, 4, problem.spatial_shape))
    found = permutation(regions=(labels + 1).numpy(), donors=(OtherCase(other),), paint="effect").attribute(
        problem
    )
    batch = torch.stack([problem.image, torch.from_numpy(other.image).double()])

    def swap(x, mask):
        return torch.where(mask, x.flip(0), x)

    for t in range(3):
        truth = CaptumPermutation(scores, perm_func=swap).attribute(
            batch, target=t, feature_mask=labels.expand(1, *problem.image.shape)
        )
        torch.testing.assert_close(found.values(t)[0], truth[0, 0].detach().double(), rtol=1e-5, atol=1e-7)


def test_several_donors_are_averaged():
    problem, scores = build((2, "segmentation", 1))
    donors = [random_case(problem.spatial_shape, seed=s) for s in (5, 6, 7)]
    found = permutation(size=(9, 6), donors=tuple(map(OtherCase, donors))).attribute(problem)
    clean = scores(problem.image[None])[0]
    for r, part in enumerate([slice(0, 6), slice(6, 12)]):
        truth = torch.zeros(3, dtype=torch.float64)
        for donor in donors:
            x = problem.image.clone()
            x[..., part] = torch.from_numpy(donor.image).double()[..., part]
            truth += (clean - scores(x[None])[0]).detach() / 3
        torch.testing.assert_close(found.region_values[:, r], truth)
    assert found.passes.forward == 1 + 2 * 3


def test_agreement_is_of_even_and_odd_draws():
    problem, _ = build((2, "segmentation", 1))
    found = permutation(size=3, draws=4).attribute(problem)
    image = problem.image
    rows = []
    for d in range(4):
        row = []
        for r, region in enumerate(found.regions):
            row.append(Shuffled(region, 0, (r, d)).applied(image, (slice(0, 9), slice(0, 12))))
        rows.append(torch.stack([problem.clean_scores() - s for s in problem.scores(row)]))
    each = torch.stack(rows)  # (D, R, T)
    for t in range(3):
        truth = np.corrcoef(each[::2, :, t].mean(0), each[1::2, :, t].mean(0))[0, 1]
        assert found.answers[t].checks["agreement"] == pytest.approx(truth, rel=1e-9)


def test_other_seeds_shuffle_otherwise():
    case = random_case((8, 8))
    values = [
        permutation(size=4, draws=2)
        .attribute(Problem(Model(smooth_segmenter(2)), case, AllClasses(), seed=s))
        .region_values
        for s in (0, 0, 1)
    ]
    assert torch.equal(values[0], values[1]) and not torch.equal(values[0], values[2])


@pytest.mark.parametrize(
    "parameters",
    [{"draws": 1}, {"donors": ()}, {"size": 0}, {"paint": "x"}, {"regions": np.zeros((9, 12), dtype=int)}],
    ids=str,
)
def test_impossible_parameters_are_refused(parameters):
    problem, _ = build((2, "segmentation", 1))
    with pytest.raises(InputError, match=r"^feature_permutation: "):
        permutation(**parameters).attribute(problem)


def test_a_donor_on_another_grid_is_refused():
    problem, _ = build((2, "segmentation", 1))
    with pytest.raises(InputError, match="expected"):
        permutation(donors=(OtherCase(Case("o", np.zeros((1, 4, 4), np.float32))),)).attribute(problem)
