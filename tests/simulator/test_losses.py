"""Losses against what can be computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from simulator_fields import offsets

from voxplain.simulator import losses


def test_two_sided_punishes_too_little_and_too_much_alike():
    after, target = torch.tensor([1.0, 3.0, 2.0, 12.0]), torch.tensor([2.0, 2.0, 2.0, 2.0])
    found = losses.towards(after, target, gap=8.0)
    # Huber: half the square below 0.5 of the gap, then a line of slope 0.5
    assert torch.allclose(found, torch.tensor([1 / 128, 1 / 128, 0.0, 0.5 * (1.25 - 0.25)]))


def test_the_hinge_asks_for_its_margin_and_never_for_less():
    before, direction = torch.tensor([-4.0, -4.0, 4.0]), torch.tensor([1.0, 1.0, -1.0])
    found = losses.hinge(before, torch.tensor([2.0, 30.0, 0.0]), direction, 12.5)
    assert torch.allclose(found, torch.tensor([6.5, 0.0, 8.5]))


def test_doses_are_the_share_of_the_classes_distance():
    before, target = torch.tensor([-4.0, 4.0, -4.0, -4.0]), torch.tensor([4.0, -8.0, -4.5, 90.0])
    direction = torch.tensor([1.0, -1.0, 1.0, 1.0])
    assert losses.matched_dose(before, target, direction, 8.0).tolist() == [
        1.0,
        1.5,
        0.10000000149011612,
        2.0,
    ]


@pytest.mark.parametrize("shape", [(12, 12), (20, 10), (8, 8, 8)])
def test_size_is_relative_to_the_edge(shape):
    field = torch.zeros(2, len(shape), *shape)
    field[1, 0] = 0.1 * shape[0]
    assert torch.allclose(losses.size(field), torch.tensor([0.0, 0.01]))


@pytest.mark.parametrize("dims", [2, 3])
def test_a_motion_of_the_same_anatomy_costs_the_same_on_a_finer_grid(dims):
    def cost(edge):
        x = offsets((edge,) * dims) / edge
        wave = torch.sin(2 * math.pi * x) * 0.05 * edge
        return losses.size(wave), losses.bending(wave)

    coarse, fine = cost(24), cost(48)
    assert torch.allclose(coarse[0], fine[0], rtol=1e-6)
    # the border is left out, which is more of a coarse grid
    assert torch.allclose(coarse[1], fine[1], rtol=0.05)
    # 0.05 sin(2 pi x) bends by 0.05 (2 pi)^2; half of its square on average, per component: MONAI averages over components
    assert fine[1].item() == pytest.approx(0.5 * (0.05 * 4 * math.pi**2) ** 2, rel=0.06)


def test_bending_and_gradient_see_no_translation_and_bending_no_stretching():
    still = torch.full((1, 2, 9, 9), 3.0, dtype=torch.float64)
    stretched = 0.1 * offsets((9, 9))
    for loss in (losses.bending, losses.gradient):
        assert loss(still).item() == pytest.approx(0, abs=1e-12)
    assert losses.bending(stretched).item() == pytest.approx(0, abs=1e-12)
    assert losses.gradient(stretched).item() == pytest.approx(
        0.05
    )  # each component changes along one of two axes


def test_losses_are_a_samples_own():
    fields = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 2, 10, 10)))
    for loss in (losses.size, losses.bending, losses.gradient):
        assert torch.allclose(loss(fields), torch.cat([loss(f[None]) for f in fields]))


def test_the_published_weights_are_the_released_ones():
    told = losses.LossSettings.published()
    assert (told.logit, told.margin, told.gradient, told.cycle) == ("hinge", 12.5, 4e-5, 1.0)
    assert told.size == told.bending == told.adversarial == 0
