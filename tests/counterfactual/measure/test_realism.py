"""Distances of sets of images, against their definitions written out pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from voxplain.counterfactual.measure import RandomFeatures, frechet, kernel_distance
from voxplain.counterfactual.measure.realism import alike_scaled, diversity, kernel_null, nearest
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
