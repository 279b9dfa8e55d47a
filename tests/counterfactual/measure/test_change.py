"""Measures of single counterfactuals, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from voxplain.counterfactual.generator import PcaGenerator
from voxplain.counterfactual.measure.change import (
    composition,
    identity,
    insertion,
    oracle_agreement,
    proximity,
    reversibility,
    sparsity,
)
from voxplain.errors import InputError

X = torch.tensor([[[0.0, 1.0, 0.5, 0.25]]])
Y = torch.tensor([[[0.0, 0.4, 0.5, 0.255]]])


def test_proximity_and_sparsity_by_hand():
    assert proximity(X, Y) == pytest.approx(0.605 / 4)
    assert proximity(X, Y, power=2) == pytest.approx(((0.36 + 0.005**2) / 4) ** 0.5)
    assert sparsity(X, Y) == 0.25 and sparsity(X, Y, least=0.001) == 0.5 and sparsity(X, X) == 0
    two = torch.cat([X, X]), torch.cat([X, Y])
    assert sparsity(*two) == 0.25  # a voxel changes where any channel does
    with pytest.raises(InputError, match=r"changed: found shape \(1, 1, 3\)"):
        proximity(X, X[..., :3])


def test_identity_is_a_cosine():
    features = torch.nn.Flatten()
    wanted = float(X.flatten() @ Y.flatten() / (X.norm() * Y.norm()))
    assert identity(features, X, Y) == pytest.approx(wanted, abs=1e-6)
    assert identity(features, X, -X) == pytest.approx(-1)


def test_insertion_of_a_step_is_where_the_step_is():
    """Ten voxels fall from 1 to 0 by different amounts; the decision turns, without doubt, with the third largest."""
    image, changed = torch.ones(1, 1, 10), torch.ones(1, 1, 10) - torch.arange(10.0) / 10

    def scorer(x):
        return torch.where((x < 1).flatten(1).sum(1) >= 3, 1e6, -1e6)

    # −1 at shares 0, 0.1 and 0.2, then +1: trapezoids of a tenth
    wanted = np.trapezoid([-1, -1, -1, *[1] * 8], np.arange(11) / 10)
    assert insertion(scorer, image, changed, steps=10) == pytest.approx(wanted)
    assert insertion(lambda x: -scorer(x), image, changed, steps=10, towards=-1) == pytest.approx(wanted)
    assert insertion(lambda x: x.new_zeros(len(x)), image, changed) == 0


def test_insertion_tells_few_strong_voxels_from_many_weak_ones():
    def mean(x):
        return 8 * (x.flatten(1).mean(1) - 0.5)

    image = torch.zeros(1, 8, 8)
    few, many = image.clone(), image + 1.0
    few[0, 0, :] = 8.0  # the same mean, on an eighth of the voxels
    assert insertion(mean, image, few) > insertion(mean, image, many) + 0.3


def test_an_exact_generator_changes_nothing_by_itself():
    images = torch.randn(12, 1, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    exact, rough = PcaGenerator.fit(images, 9), PcaGenerator.fit(images, 2)
    assert composition(exact, images[0], times=5) < 1e-12
    once, often = (composition(rough, images[0], times=t) for t in (1, 6))
    assert once == pytest.approx(often) and once > 0.1  # a projection, again and again
    assert reversibility(X, Y) == proximity(X, Y)


def test_another_model_sees_what_the_images_show():
    images = torch.tensor([-1.0, -1.0, 1.0, 1.0]).reshape(-1, 1, 1, 1)
    changed = torch.tensor([2.0, 2.0, -2.0, 0.5]).reshape(-1, 1, 1, 1)

    def sign(x):
        return x.flatten(1)[:, 0]

    assert oracle_agreement([sign, lambda x: x.new_ones(len(x))], images, changed) == [0.75, 0.0]
