"""Which way images move, and the ways of composing and undoing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from simulator_fields import interior, linear, offsets, rough

from voxplain.errors import InputError
from voxplain.simulator.field import compose, exponential, inverse_error, invert, warp
from voxplain.simulator.field.warp import identity


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("axis", [0, -1])
def test_tissue_that_moves_by_one_voxel_is_found_one_voxel_further(dims, axis):
    image = torch.zeros(1, 1, *[5] * dims)
    image[(0, 0, *[2] * dims)] = 1.0
    motion = torch.zeros(1, dims, *[5] * dims)
    motion[:, axis] = 1.0
    at = [2] * dims
    at[axis] = 3
    seen = warp(image, exponential(motion, -1.0))  # an image looks up where its tissue comes from
    assert seen[(0, 0, *at)] == pytest.approx(1, abs=1e-5)
    assert seen.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("dims", [2, 3])
def test_linear_interpolation_is_scipys(dims):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(9, 8, 7)[:dims])
    field = rough(dims, edge=9, seed=3)[(..., *[slice(n) for n in image.shape])]
    places = (identity(field) + field)[0].numpy()
    wanted = map_coordinates(image, places, order=1, mode="nearest")
    found = warp(torch.from_numpy(image)[None, None], field)[0, 0].numpy()
    assert np.abs(found - wanted).max() < 1e-12


def test_beyond_the_border_lies_the_borders_value():
    image = torch.full((1, 2, 6, 6), 3.0)
    assert torch.equal(warp(image, torch.full((1, 2, 6, 6), 20.0)), image)


def test_labels_stay_labels():
    label = torch.randint(0, 4, (1, 1, 8, 8)).float()
    moved = warp(label, rough(2, edge=8).float(), mode="nearest")
    assert set(moved.unique().tolist()) <= {0.0, 1.0, 2.0, 3.0}


@pytest.mark.parametrize("dims", [2, 3])
def test_composition_of_linear_maps_is_the_matrix_product(dims):
    rng = np.random.default_rng(2)
    shape = (15,) * dims
    first, then = (0.05 * rng.normal(size=(dims, dims)) for _ in range(2))
    product = (np.eye(dims) + then) @ (np.eye(dims) + first) - np.eye(dims)
    found = compose(linear(first, shape), linear(then, shape))
    assert interior((found - linear(product, shape)).abs(), 3).max() < 1e-10


@pytest.mark.parametrize("dims", [2, 3])
def test_fixed_points_invert_a_linear_map(dims):
    matrix = 0.1 * np.random.default_rng(5).normal(size=(dims, dims))
    wanted = linear(np.linalg.inv(np.eye(dims) + matrix) - np.eye(dims), (21,) * dims)
    found = invert(linear(matrix, (21,) * dims), tolerance=1e-8)
    assert interior((found - wanted).abs(), 5).max() < 1e-6


@pytest.mark.parametrize("dims", [2, 3])
def test_the_inverse_by_fixed_points_is_that_of_the_opposite_flow(dims):
    velocity = rough(dims, amplitude=0.7)
    there = exponential(velocity)
    assert interior((invert(there) - exponential(velocity, -1.0)).abs(), 5).mean() < 0.02
    assert interior(inverse_error(invert(there), there), 5).max() < 0.01


def test_what_folds_has_no_inverse_and_the_error_tells():
    folding = rough(2, amplitude=6.0)
    assert inverse_error(invert(folding), folding).max() > 1


def test_gradients_of_a_warp_are_right():
    torch.manual_seed(0)
    image = torch.randn(1, 1, 5, 5, dtype=torch.float64, requires_grad=True)
    field = (0.3 * rough(2, edge=5) + 0.05).requires_grad_()
    assert torch.autograd.gradcheck(warp, (image, field))


def test_a_field_that_broadcasts_over_axes_is_refused():
    with pytest.raises(InputError, match=r"displacement: found the shape \(1, 1, 4, 4, 4\), expected"):
        warp(torch.zeros(1, 1, 4, 4, 4), torch.zeros(1, 1, 4, 4, 4))
    with pytest.raises(InputError, match="the same batch and grid"):
        warp(torch.zeros(1, 1, 4, 4), torch.zeros(1, 2, 4, 5))
    assert offsets((4, 4)).shape == (1, 2, 4, 4)
