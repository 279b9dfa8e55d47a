"""Volumes of maps whose determinant is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from simulator_fields import linear, offsets

from voxplain.case import Geometry
from voxplain.errors import GeometryError, InputError
from voxplain.simulator.field import folded_percentage, jacobian, log_jacobian, volume_changes


@pytest.mark.parametrize(("dims", "wanted"), [(2, 1.44), (3, 1.728)])
def test_scaling_by_a_fifth(dims, wanted):
    found = jacobian(linear(0.2 * np.eye(dims), (9,) * dims))
    assert torch.allclose(found, torch.full_like(found, wanted), atol=1e-10)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_linear_map_has_its_matrix_determinant_everywhere(dims):
    matrix = np.random.default_rng(0).normal(scale=0.3, size=(dims, dims))
    found = jacobian(linear(matrix, (6, 7, 8)[:dims]))
    assert torch.allclose(found, torch.full_like(found, np.linalg.det(np.eye(dims) + matrix)), atol=1e-10)


@pytest.mark.parametrize(("sigma", "tolerance"), [(2, 0.06), (3, 0.027), (5, 0.01)])
@pytest.mark.parametrize("dims", [2, 3])
def test_a_gaussian_bump(dims, sigma, tolerance):
    x = offsets((41,) * dims)
    squared, a = (x**2).sum(1, keepdim=True), 0.17
    g = torch.exp(-squared / (2 * sigma**2))
    wanted = (1 + a * g) ** (dims - 1) * (1 + a * g * (1 - squared / sigma**2))
    error = (jacobian(a * x * g) - wanted).abs().max()
    # central differences blur what is narrow, no more and no less: by 1 / sigma², on every axis
    assert (dims - 1) * tolerance / 2 < error < (dims - 1) * 1.3 * tolerance


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 1.0, 3.0), (2.0, 0.7, 1.3)])
def test_millimetres_and_voxels_say_the_same(spacing):
    voxels = linear(np.random.default_rng(1).normal(scale=0.2, size=(3, 3)), (7, 8, 9)) ** 3 / 100
    column = torch.tensor(spacing, dtype=torch.float64).reshape(1, 3, 1, 1, 1)
    assert torch.allclose(jacobian(voxels), jacobian(voxels * column, spacing), atol=1e-10)


def test_millimetres_without_their_spacing_would_be_wrong():
    stretched = linear(np.diag([0.0, 0.0, 0.1]), (7, 8, 9))
    column = torch.tensor((1.0, 1.0, 3.0), dtype=torch.float64).reshape(1, 3, 1, 1, 1)
    assert jacobian(stretched * column, (1, 1, 3))[0, 0, 3, 3, 3] == pytest.approx(1.1)
    assert jacobian(stretched * column)[0, 0, 3, 3, 3] == pytest.approx(1.3)


def test_the_backward_map_of_an_enlarged_structure_has_less_than_one():
    forward = linear(0.2 * np.eye(2), (21, 21))
    backward = linear((1 / 1.2 - 1) * np.eye(2), (21, 21))
    assert jacobian(forward)[0, 0, 10, 10] == pytest.approx(1.44)
    assert jacobian(backward)[0, 0, 10, 10] == pytest.approx(1 / 1.44)


def test_folds_are_counted_and_have_a_floor_as_logarithm():
    mirrored = torch.zeros(2, 2, 10, 10, dtype=torch.float64)
    mirrored[0, 0, 4:] = -2 * offsets((10, 10))[0, 0, 4:]
    determinant = jacobian(mirrored)
    share = folded_percentage(determinant)
    assert 50 <= share[0] <= 70
    assert share[1] == 0
    assert torch.isfinite(log_jacobian(determinant)).all()
    assert log_jacobian(determinant).amin() == pytest.approx(np.log(1e-5))


def test_gradients_of_a_determinant_are_right():
    field = (0.1 * linear(np.eye(2), (5, 4))).requires_grad_()
    assert torch.autograd.gradcheck(lambda u: log_jacobian(jacobian(u)), (field,))


@pytest.mark.parametrize(("scale", "axes"), [(1.1, (1.0, 1.0, 1.0)), (0.9, (0.8, 1.5, 2.5))])
def test_a_scaled_ball_changes_by_the_cube_of_the_scale(scale, axes):
    shape = (30, 24, 20)
    x = offsets(shape)[0] * torch.tensor(axes, dtype=torch.float64).reshape(3, 1, 1, 1)
    ball = (torch.linalg.vector_norm(x, dim=0) < 9).numpy().astype(int)
    determinant = jacobian(linear((scale - 1) * np.eye(3), shape))[0, 0].numpy()
    grid = Geometry(np.diag([-axes[0], axes[1], axes[2], 1.0]), shape)
    (found,) = volume_changes(determinant, ball, grid, {1: "ball"})
    assert found.before == pytest.approx(4 / 3 * np.pi * 9**3 / 1000, rel=0.05)  # a ball of voxels
    assert found.percent == pytest.approx(100 * (scale**3 - 1), abs=1e-6)
    assert found.change == pytest.approx(found.before * (scale**3 - 1), rel=1e-9)


def test_regions_of_a_slice_are_areas_and_folds_are_told():
    label = np.zeros((6, 5), int)
    label[:3], label[4:] = 7, 9
    determinant = np.ones((6, 5))
    determinant[0], determinant[5] = -1, 3
    found = volume_changes(determinant, label, Geometry(np.diag([2.0, 0.5, 1, 1]), (6, 5)), {7: "left"})
    assert [(r.label, r.name, r.unit, r.before, r.after) for r in found] == [
        (7, "left", "mm²", 15.0, 5.0),
        (9, "9", "mm²", 10.0, 20.0),
    ]
    assert [r.folded for r in found] == [pytest.approx(100 / 3), 0]


def test_what_cannot_be_is_told():
    grid = Geometry(np.eye(4), (3, 3, 3))
    with pytest.raises(
        GeometryError, match=r"labels \(3, 3, 4\) and a Jacobian \(3, 3, 3\) on the grid \(3, 3, 3\)"
    ):
        volume_changes(np.ones((3, 3, 3)), np.ones((3, 3, 4), int), grid)
    with pytest.raises(InputError, match="label 0 only"):
        volume_changes(np.ones((3, 3, 3)), np.zeros((3, 3, 3), int), grid)
    with pytest.raises(InputError, match=r"spacing: found \(1, 1\), expected 3 positive"):
        jacobian(torch.zeros(1, 3, 4, 4, 4), (1, 1))
    with pytest.raises(InputError, match="at least 2 voxels"):
        jacobian(torch.zeros(1, 3, 4, 4, 1))
