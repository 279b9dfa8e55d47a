"""Doses found by scanning and bisection, against functions whose crossing is known."""

from __future__ import annotations

import math

import pytest
import torch

from voxplain.counterfactual import CounterfactualPath, calibrate
from voxplain.errors import InputError


def test_each_image_gets_its_own_smallest_dose():
    slope = torch.tensor([1.0, -2.0, 4.0, 1.0])
    target = torch.tensor([1.5, -3.0, 0.5, 0.0])
    found = calibrate(lambda dose: slope * dose, target, tolerance=1e-4)
    assert torch.allclose(found.dose, torch.tensor([1.5, 1.5, 0.125, 0.0]), atol=2e-4)
    assert found.reached.all()
    assert found.monotone.all()
    scores = slope * found.dose
    assert (((scores - target) * torch.tensor([1, -1, 1, 1])) >= 0).all()  # reached, not nearly


def test_of_several_crossings_the_first_counts_and_the_path_is_not_monotone_only_if_it_turns_before():
    wave = calibrate(
        lambda d: torch.sin(2 * math.pi * d), torch.tensor([0.5]), limit=3.0, scan=48, tolerance=1e-4
    )
    assert wave.dose.item() == pytest.approx(1 / 12, abs=2e-4)
    assert wave.monotone.item()  # what comes later does not matter
    down_first = calibrate(lambda d: d * (d - 1), torch.tensor([0.75]), limit=3.0, tolerance=1e-4)
    assert down_first.dose.item() == pytest.approx(1.5, abs=2e-4)
    assert not down_first.monotone.item()
    up = calibrate(lambda d: d**3, torch.tensor([0.75]), limit=3.0)
    assert up.monotone.item()


def test_what_is_not_reached_is_told_with_the_closest_dose():
    found = calibrate(lambda d: 1 - (d - 2) ** 2, torch.tensor([5.0]), limit=3.0, scan=24)
    assert not found.reached.item()
    assert found.dose.item() == pytest.approx(2.0)
    assert not found.monotone.item()


def test_what_cannot_be_is_told():
    with pytest.raises(InputError, match="limit, scan, tolerance: found 0"):
        calibrate(lambda d: d, torch.ones(1), limit=0)
    with pytest.raises(InputError, match="not finite"):
        calibrate(lambda d: d / (d - 3), torch.ones(1))
    frames = torch.zeros(3, 1, 4, 4)
    with pytest.raises(InputError, match="found 3 frames, 2 doses and 3 scores"):
        CounterfactualPath(frames, torch.zeros(2), torch.zeros(3), 1.0, 0.5, True, True, {}, {})
    path = CounterfactualPath(
        frames,
        torch.zeros(3),
        torch.zeros(3),
        1.0,
        0.5,
        True,
        False,
        {"warp": frames[0]},
        {},
        {"jacobian": "folded"},
    )
    assert torch.equal(path.map("warp"), frames[0])
    with pytest.raises(InputError, match="map 'jacobian': is withheld: folded"):
        path.map("jacobian")
    with pytest.raises(InputError, match="map 'wrap': unknown; did you mean 'warp'"):
        path.map("wrap")
    assert repr(path) == "CounterfactualPath(3 frames of (1, 4, 4), reaches 1 at dose 0.5, not monotone)"


@pytest.mark.parametrize(("kind", "tolerance"), [(torch.float32, 1e-8), (torch.bfloat16, 1e-3)])
def test_a_tolerance_below_what_doses_can_tell_apart_ends(kind, tolerance):
    calls = []

    def score(dose):
        calls.append(dose)
        assert len(calls) < 100, "it goes on for ever"
        return dose

    target = torch.tensor([1.3, 0.4], dtype=kind)
    found = calibrate(score, target, tolerance=tolerance)
    assert torch.equal(found.dose, target)  # the smallest number that reaches itself


def test_nan_of_the_image_itself_is_not_blamed_on_the_dose():
    with pytest.raises(InputError, match="score: is not finite at dose 0, so of the image itself"):
        calibrate(lambda dose: dose * float("nan"), torch.tensor([1.0]))
