"""Flows whose end is known in closed form."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from scipy.linalg import expm
from simulator_fields import interior, linear, offsets, rough

from voxplain.errors import InputError
from voxplain.simulator.field import compose, exponential, folded_percentage, inverse_error, jacobian

TURNING = {
    2: [[0.06, -0.09], [0.07, -0.04]],
    3: [[0.06, -0.09, 0.02], [0.07, -0.04, 0.03], [-0.02, 0.05, 0.05]],
}


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(
    ("dose", "steps", "tolerance"), [(1.0, 7, 2e-3), (1.0, 10, 3e-4), (-1.0, 7, 2e-3), (0.5, 7, 1e-3)]
)
def test_a_linear_field_flows_by_the_matrix_exponential(dims, dose, steps, tolerance):
    shape = (33,) * dims
    velocity = linear(TURNING[dims], shape)
    found = exponential(velocity, dose, steps=steps)
    there = torch.from_numpy(expm(dose * torch.tensor(TURNING[dims]).double().numpy()))
    wanted = torch.einsum("ab,nb...->na...", there, offsets(shape)) - offsets(shape)
    # what enters from beyond the border is not linear there
    assert interior((found - wanted).abs(), 6).max() < tolerance
    trace = math.exp(dose * sum(TURNING[dims][i][i] for i in range(dims)))
    assert interior((jacobian(found) - trace).abs(), 6).max() < 2e-4


def test_the_integrations_error_halves_with_every_step():
    shape = (33, 33)
    wanted = exponential(linear(TURNING[2], shape), steps=16)
    errors = [
        interior((exponential(linear(TURNING[2], shape), steps=n) - wanted).abs(), 6).max()
        for n in (4, 5, 6, 7)
    ]
    for coarse, fine in itertools.pairwise(errors):
        assert 1.8 < coarse / fine < 2.2


@pytest.mark.parametrize(("dims", "mean", "largest"), [(2, 0.06, 0.5), (3, 0.06, 1.0)])
def test_opposite_doses_undo_each_other(dims, mean, largest):
    velocity = rough(dims)
    there, back = exponential(velocity, 1.0), exponential(velocity, -1.0)
    error = interior(inverse_error(there, back), 6)
    assert interior(there.abs(), 6).mean() > 20 * error.mean()  # the way was long
    assert error.mean() < mean
    assert error.max() < largest


@pytest.mark.parametrize("dims", [2, 3])
def test_doses_add_up(dims):
    velocity = rough(dims, amplitude=1.0)
    twice = compose(exponential(velocity, 0.3), exponential(velocity, 0.7))
    assert interior((twice - exponential(velocity, 1.0)).abs(), 6).mean() < 0.02


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_a_rough_flow_does_not_fold_where_the_plain_displacement_does(dims, seed):
    velocity = rough(dims, amplitude=2.5, seed=seed)
    assert folded_percentage(jacobian(exponential(velocity))).item() == 0
    if dims == 2:  # enough to fold some of the plane; space folds more rarely
        assert folded_percentage(jacobian(velocity)).item() > 0


@pytest.mark.parametrize("dims", [2, 3])
def test_a_constant_flow_is_a_translation_of_dose_times_velocity(dims):
    velocity = torch.zeros(1, dims, *[12] * dims, dtype=torch.float64)
    velocity[:, 0], velocity[:, -1] = 1.25, -0.5
    found = exponential(velocity, -2.0)
    assert torch.allclose(found, -2 * velocity, atol=1e-12)
    assert torch.allclose(jacobian(found), torch.ones(1, 1, dtype=torch.float64), atol=1e-12)


def test_every_field_of_a_batch_has_its_own_dose():
    velocity = torch.cat([rough(2, seed=0), rough(2, seed=1)])
    both = exponential(velocity, torch.tensor([0.5, -1.0]))
    assert torch.equal(both[:1], exponential(velocity[:1], 0.5))
    assert torch.equal(both[1:], exponential(velocity[1:], -1.0))


def test_gradients_reach_velocity_and_dose():
    velocity = (0.3 * rough(2, edge=7)).requires_grad_()
    dose = torch.tensor([0.8], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v, d: exponential(v, d, steps=3), (velocity, dose))


@pytest.mark.parametrize(
    ("velocity", "dose", "steps", "says"),
    [
        (torch.zeros(1, 1, 5, 5), 1.0, 7, r"velocity: found the shape \(1, 1, 5, 5\), expected"),
        (
            torch.zeros(2, 2, 5, 5),
            torch.ones(3),
            7,
            r"dose: found the shape \(3,\), expected one number or 2",
        ),
        (torch.zeros(1, 2, 5, 5), 1.0, 0, "steps: found 0"),
    ],
)
def test_what_cannot_be_is_told(velocity, dose, steps, says):
    with pytest.raises(InputError, match=says):
        exponential(velocity, dose, steps=steps)
