"""Faithfulness of regions: correlations by hand, chance and volume, and the published benchmark's confound."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import random_case
from scipy.stats import pearsonr, spearmanr

from voxplain.aggregate.faithfulness import region_faithfulness
from voxplain.aggregate.games import region_game
from voxplain.aggregate.partition import Partition
from voxplain.attribution import Gradient, InputXGradient
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model
from voxplain.target import ClassScore

rng = np.random.default_rng


def test_correlations_are_scipys():
    x, y, volume = rng(0).normal(size=(3, 12)), rng(1).normal(size=(3, 12)), rng(2).uniform(1, 99, 12)
    y[0] += x[0]
    found = region_faithfulness(x, y, volume, permutations=4000)
    for t in range(3):
        p, s = pearsonr(x[t], y[t], alternative="greater"), spearmanr(x[t], y[t], alternative="greater")
        assert found.pearson[t] == pytest.approx(p.statistic) and found.spearman[t] == pytest.approx(
            s.statistic
        )
        # normal data: SciPy's own p, to the error of 4000 permutations
        assert found.pearson_p[t] == pytest.approx(p.pvalue, abs=0.03)
        assert found.spearman_p[t] == pytest.approx(s.pvalue, abs=0.03)
        assert found.volume_pearson[t] == pytest.approx(pearsonr(np.log(volume), np.abs(y[t])).statistic)
        assert found.volume_spearman[t] == pytest.approx(spearmanr(volume, np.abs(y[t])).statistic)
    assert found.status == ("ok",) * 3 and found.regions.tolist() == [12] * 3


def test_partial_correlation_is_that_of_residuals():
    size = rng(3).uniform(1, 99, 20)
    x, y = rng(0).normal(size=20) + np.log(size), rng(1).normal(size=20) + 2 * np.log(size)
    found = region_faithfulness(x[None], y[None], size)
    design = np.stack([np.ones(20), np.log(size)], 1)
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (x, y)]
    assert found.pearson_beyond_volume[0] == pytest.approx(pearsonr(*left).statistic)
    ranks = [np.argsort(np.argsort(v)) + 1.0 for v in (x, y, size)]
    a, b, c = (np.corrcoef(ranks)[i, j] for i, j in ((0, 1), (0, 2), (1, 2)))
    assert found.spearman_beyond_volume[0] == pytest.approx((a - b * c) / np.sqrt((1 - b**2) * (1 - c**2)))


def test_a_method_that_only_knows_sizes_is_found_out():
    """Effects are the volumes' logarithms and something of their own; the method answers with the volumes."""
    volume = np.exp(rng(0).normal(size=30) * 2)
    own = rng(1).normal(size=30)
    effects = np.log(volume) + 6 + 0.5 * own
    sizes = region_faithfulness(np.log(volume)[None], effects[None], volume)
    assert sizes.pearson[0] > 0.9 and sizes.pearson[0] == pytest.approx(sizes.volume_pearson[0])
    assert np.isnan(sizes.pearson_beyond_volume[0]), "volume settles the method's values"
    nearly = region_faithfulness((np.log(volume) + 0.3 * rng(2).normal(size=30))[None], effects[None], volume)
    assert nearly.pearson[0] > 0.9 and abs(nearly.pearson_beyond_volume[0]) < 0.4
    knows = region_faithfulness(own[None], effects[None], volume)
    assert knows.pearson_beyond_volume[0] == pytest.approx(1)


def test_permutations_tell_chance():
    """Without relation, p-values are uniform; with a perfect one, p is the least there is."""
    x, y = rng(0).normal(size=(400, 8)), rng(1).normal(size=(400, 8))
    found = region_faithfulness(x, y, np.arange(1, 9), permutations=199)
    for p, r, null in (
        (found.pearson_p, found.pearson, found.pearson_null),
        (found.spearman_p, found.spearman, found.spearman_null),
    ):
        assert np.mean(p <= 0.1) == pytest.approx(0.1, abs=0.05) and p.mean() == pytest.approx(0.5, abs=0.06)
        assert np.mean(r > null) == pytest.approx(0.05, abs=0.035)
    perfect = region_faithfulness(x, 2 * x + 1, np.arange(1, 9), permutations=199)
    assert perfect.pearson == pytest.approx(1) and (perfect.pearson_p <= 2 / 200).all()
    again = region_faithfulness(x, y, np.arange(1, 9), permutations=199)
    np.testing.assert_array_equal(again.pearson_p, found.pearson_p)
    other = region_faithfulness(x, y, np.arange(1, 9), permutations=199, seed=1)
    assert (other.pearson_p != found.pearson_p).any() and (other.pearson == found.pearson).all()


def test_absolute_sums_are_compared_with_the_effects_sizes():
    effects = rng(0).normal(size=(1, 9))
    found = region_faithfulness(np.abs(effects), effects, np.arange(1, 10), signed=False)
    assert found.pearson[0] == pytest.approx(1)
    assert region_faithfulness(np.abs(effects), effects, np.arange(1, 10)).pearson[0] < 0.9


def test_missing_regions_are_left_out_and_nothing_is_nought():
    x, y, volume = rng(0).normal(size=(5, 7)), rng(1).normal(size=(5, 7)), np.arange(7.0)
    x[0, 3] = y[1, 4] = np.nan
    y[2] = np.nan
    x[3] = 2.5
    y[4, 3:] = np.nan
    found = region_faithfulness(x, y, volume)
    assert found.status == ("ok", "ok", "absent", "flat", "few")
    assert found.regions.tolist() == [5, 5, 0, 6, 2]  # the first has no volume
    assert found.pearson[0] == pytest.approx(pearsonr(x[0, [1, 2, 4, 5, 6]], y[0, [1, 2, 4, 5, 6]]).statistic)
    for name in (
        "pearson",
        "spearman",
        "pearson_p",
        "pearson_null",
        "volume_pearson",
        "pearson_beyond_volume",
    ):
        assert np.isnan(getattr(found, name)[2:]).all() and np.isfinite(getattr(found, name)[:2]).all()


@pytest.mark.parametrize(
    ("x", "y", "volume", "kwargs", "message"),
    [
        ((2, 3), (2, 4), 3, {}, r"found values \(2, 3\), effects \(2, 4\) and volumes \(3,\)"),
        ((2, 3), (2, 3), 4, {}, r"volumes \(4,\), expected"),
        ((2, 3), (2, 3), 3, {"permutations": 0}, "found permutations=0"),
        ((2, 3), (2, 3), -3, {}, "found a volume of -1"),
    ],
)
def test_what_does_not_fit_is_refused(x, y, volume, kwargs, message):
    sizes = np.ones(volume) if volume > 0 else -np.ones(-volume)
    with pytest.raises(InputError, match=message):
        region_faithfulness(np.ones(x), np.ones(y), sizes, **kwargs)


# ---- the published benchmark's confound ----

# voxels' shares as in a thorax: background 87 %, lobes of a lung, heart, muscles, ..., a thyroid
SHARES = np.array([0.87, 0.035, 0.03, 0.025, 0.018, 0.012, 0.0076, 0.0024])
EDGE = 40
SUBSET = 0.0026  # of the voxels, as published


@pytest.fixture(scope="module")
def linear():
    """F(x) = Σ w x over 40³ voxels, weights of a common size in each region and more of their own.

    Intensities are a uniform number's power p, so that for weights that are mostly noise corr(w, w·x) = E[x] / √E[x²] =
    √(2 p + 1) / (p + 1), 0.72 for p = 2.3: the published protocol's score of the gradient.
    """
    r = rng(0)
    voxels = EDGE**3
    counts = np.round(SHARES * voxels).astype(int)
    counts[0] += voxels - counts.sum()
    labels = np.repeat(np.arange(8), counts)
    x = r.uniform(0, 1, voxels) ** 2.3
    common = np.array([0.05, 0.8, -0.7, 1.2, -1.4, 1.0, -1.8, 2.5])
    w = common[labels] + r.normal(size=voxels)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(voxels, 2, bias=False))
    with torch.no_grad():
        net[1].weight[:] = torch.from_numpy(np.stack([0 * w, w]))
    case = random_case((EDGE,) * 3)
    case = type(case)(
        id="linear", image=x.reshape(1, EDGE, EDGE, EDGE).astype(np.float32), geometry=case.geometry
    )
    problem = Problem(
        Model(net.double(), spatial_dims=3, task="classification"), case, ClassScore(1), dtype=torch.float64
    )
    partition = Partition(
        "organs", torch.from_numpy(labels.reshape(EDGE, EDGE, EDGE)).int(), tuple("abcdefgh"), (1.0,) * 3
    )
    return problem, partition


def published(problem, maps, runs=100, repeats=12):
    """Faithfulness correlation as Agg²Exp measured it: of runs of random single voxels, the maps' sums and the losses.

    Each run sets |S| voxels to air (0), drawn from all; Pearson's r over 100 runs, mean over repeats.
    """
    x = problem.image.flatten().double().numpy()
    weights = problem.model.module[1].weight[1].detach().double().numpy()
    size, r = round(SUBSET * len(x)), rng(5)
    found = {name: [] for name in maps}
    for _ in range(repeats):
        subsets = [r.choice(len(x), size, replace=False) for _ in range(runs)]
        lost = [float(weights[s] @ x[s]) for s in subsets]
        for name, m in maps.items():
            found[name].append(np.corrcoef([m[s].sum() for s in subsets], lost)[0, 1])
    return {name: float(np.mean(values)) for name, values in found.items()}


@pytest.mark.filterwarnings("ignore:.*implausible in")
def test_exact_answers_fail_the_published_benchmark_and_pass_this_one(linear):
    """agg2exp.md §4: gradient 0.72, gradient × input 1.00, exact values painted undivided 0.10, divided 0.27.

    In a linear world v(S) = Σ_{r ∈ S} Σ_{v ∈ r} w x, so Shapley values, occlusion and the sums of gradient × input are all
    the same numbers: any of them is the truth. The published protocol ranks them below a plain gradient, since a painted
    value is constant in its region, and undivided counts once per voxel.
    """
    problem, partition = linear
    game = region_game(problem, partition, baseline=0.0)
    shapley = game.shapley[0].numpy()
    labels, counts = partition.labels.flatten().numpy(), partition.counts.numpy()
    gradient = Gradient().attribute(problem).values(0).flatten().double().numpy()
    product = InputXGradient().attribute(problem).values(0).flatten().double().numpy()
    maps = {
        "gradient": gradient,
        "product": product,
        "undivided": shapley[labels],
        "divided": (shapley / counts)[labels],
    }
    score = published(problem, maps)
    assert score["product"] == pytest.approx(1, abs=1e-6)
    assert score["gradient"] == pytest.approx(0.72, abs=0.05)
    assert score["undivided"] == pytest.approx(0.10, abs=0.06)
    assert score["divided"] == pytest.approx(0.27, abs=0.08)

    def sums(values):
        return np.bincount(labels, values, minlength=8)[None]

    occlusion = game.occlusion.numpy()
    np.testing.assert_allclose(occlusion[0], shapley, rtol=1e-8, atol=1e-9)
    ranked = {
        name: region_faithfulness(values, occlusion, counts, permutations=199)
        for name, values in {
            "shapley": shapley[None],
            "product": sums(product),
            "gradient": sums(gradient),
            "undivided": sums(shapley[labels]),
        }.items()
    }
    for name in ("shapley", "product"):
        assert ranked[name].pearson[0] == pytest.approx(1, abs=1e-9) and ranked[name].spearman[
            0
        ] == pytest.approx(1)
        assert ranked[name].pearson_beyond_volume[0] == pytest.approx(1, abs=1e-6)
        assert ranked[name].pearson_p[0] < 0.02
    assert ranked["gradient"].pearson[0] < 0.999
    # Captum's habit, summed over a region, is the value times the region's voxels: mostly the background's
    assert ranked["undivided"].pearson[0] < 0.9


def test_no_p_is_smaller_than_one_of_the_permutations_and_the_order_itself():
    x = np.arange(30.0)[None]
    found = region_faithfulness(x, x, np.ones(30), permutations=99)
    assert found.pearson_p[0] == found.spearman_p[0] == 1 / 100  # no shuffling of 30 reaches the order itself
