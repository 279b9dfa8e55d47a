"""Distances of sets of images, against their definitions written out pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from sklearn.covariance import ledoit_wolf

from voxplain.counterfactual.measure import RandomFeatures, frechet, kernel_distance
from voxplain.counterfactual.measure.realism import (
    alike_scaled,
    covariance,
    distinctness,
    diversity,
    kernel_null,
    nearest,
)
from voxplain.errors import InputError


def drawn(n, shift=0.0, scale=1.0, seed=0, size=5):
    return torch.from_numpy(np.random.default_rng(seed).normal(shift, scale, (n, size)))


def test_kernel_distance_is_the_mean_over_pairs():
    a, b = drawn(7), drawn(5, 0.5, seed=1)

    def k(x, y):
        return (float(x @ y) / 5 + 1) ** 3

    within = [
        np.mean([k(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j]) for s in (a, b)
    ]
    between = np.mean([k(x, y) for x in a for y in b])
    assert kernel_distance(a, b) == pytest.approx(sum(within) - 2 * between)


def test_kernel_distance_of_one_distribution_is_zero_on_average():
    found = [kernel_distance(drawn(40, seed=s), drawn(40, seed=1000 + s)) for s in range(200)]
    assert abs(np.mean(found)) < 4 * np.std(found) / np.sqrt(200)
    assert kernel_distance(drawn(40), drawn(40, 1.0, seed=9)) > 5 * np.std(found)


def test_frechet_of_two_normal_distributions():
    """Means 3 apart along every axis and deviations 1 and 2: |m|² + Σ(1 − 2)² per axis."""
    a, b = drawn(200_000, 0, 1), drawn(200_000, 3, 2, seed=1)
    assert frechet(a, b) == pytest.approx(5 * 9 + 5 * 1, rel=0.02)


def test_frechet_of_covariances_that_do_not_commute():
    """By the root of the product, which is not symmetric, where ours takes that of a symmetric one."""
    rng = np.random.default_rng(4)
    a, b = (rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6)) + shift for shift in (0, 1))
    one, other = np.cov(a.T), np.cov(b.T)
    apart = np.square(a.mean(0) - b.mean(0)).sum()
    wanted = apart + np.trace(one + other - 2 * sqrtm(one @ other).real)
    assert frechet(torch.from_numpy(a), torch.from_numpy(b)) == pytest.approx(wanted, rel=1e-8)
    assert frechet(torch.from_numpy(a), torch.from_numpy(a)) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("n", [8, 40, 4000])
def test_shrunk_covariances_are_those_of_ledoit_and_wolf(n):
    x = np.random.default_rng(n).normal(size=(n, 12)) * np.arange(1, 13)
    np.testing.assert_allclose(covariance(torch.from_numpy(x), shrink=True), ledoit_wolf(x)[0], rtol=1e-10)


def test_shrinking_brings_few_images_nearer_to_the_truth():
    """Two draws of one distribution, fewer than features: the distance is 0."""
    a, b = drawn(20, size=40), drawn(20, seed=1, size=40)
    assert frechet(a, b, shrink=True) < 0.3 * frechet(a, b)


def test_features_are_scaled_by_the_real_ones():
    real, fake = drawn(50, 3, 2), drawn(9, 1, 1, seed=2)
    constant = torch.cat([real, torch.ones(50, 1)], 1), torch.cat([fake, torch.zeros(9, 1)], 1)
    a, b = alike_scaled(*constant)
    assert a.shape[1] == 5  # what never varies says nothing
    torch.testing.assert_close(a.mean(0), torch.zeros(5).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(b * real.std(0) + real.mean(0), fake)


def test_one_image_again_and_again_is_no_diversity():
    real = torch.rand(30, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    assert diversity(real[:1].expand(9, -1, -1, -1), real) == 0
    assert diversity(2 * real, real) == pytest.approx(2, rel=1e-6)


def test_a_few_images_again_and_again_are_no_more_distinct():
    real = torch.rand(30, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    few = real[:3].repeat(10, 1, 1, 1)
    assert diversity(few, real) > 0.5 and distinctness(few, real) == pytest.approx(0, abs=1e-6)
    mixed = torch.cat([real[:1].square(), real[1:21].sqrt()])

    def apart(images):
        flat = images.flatten(1).numpy()
        return [min(np.linalg.norm(x - y) for j, y in enumerate(flat) if j != i) for i, x in enumerate(flat)]

    wanted = np.median(apart(mixed)) / np.median(apart(real[:21]))
    assert distinctness(mixed, real) == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(InputError, match="images: found 1 to compare"):
        distinctness(real[:1], real)


def test_nearest_is_the_nearest():
    a, b = drawn(4), drawn(6, seed=3)
    wanted = [min(float((x - y).norm()) for y in b) for x in a]
    assert nearest(a, b).tolist() == pytest.approx(wanted)


@pytest.mark.parametrize("dims", [2, 3])
def test_random_features_are_the_same_for_a_seed(dims):
    x = torch.rand(3, 2, *(8,) * dims)
    one, two, other = (RandomFeatures(2, dims, seed=s) for s in (0, 0, 1))
    assert torch.equal(one(x), two(x)) and not torch.equal(one(x), other(x))
    assert one(x).shape == (3, 3 * 24 * (2 + 2**dims))


def test_sets_that_cannot_be_compared_are_told():
    with pytest.raises(InputError, match=r"features: found shapes \(1, 5\) and \(4, 5\)"):
        kernel_distance(drawn(1), drawn(4))


def test_the_null_of_kid_is_what_halves_of_one_set_come_to():
    real = drawn(60)
    null = kernel_null(real, draws=100, seed=1)
    assert 0 < null < kernel_distance(drawn(30, 1.0, seed=7), real)
    beyond = [kernel_distance(drawn(30, seed=s), drawn(30, seed=500 + s)) > null for s in range(200)]
    assert 0.005 < np.mean(beyond) < 0.15  # about a twentieth; halves of one set are a little less free
    with pytest.raises(InputError, match="of four images or more"):
        kernel_null(real[:3])
