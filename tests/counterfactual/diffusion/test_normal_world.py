"""Inversion, guidance and nulls against what they are in closed form where images are normal."""

from __future__ import annotations

import pytest
import torch
from diffusion_world import PIXELS, WORLD

from voxplain.counterfactual.diffusion.guidance import Guidance
from voxplain.counterfactual.diffusion.inversion import denoised, inverted
from voxplain.counterfactual.diffusion.schedule import KINDS, Schedule
from voxplain.errors import InputError, ModelError

WEIGHTS = torch.randn(PIXELS, generator=torch.Generator().manual_seed(5), dtype=torch.double)


def goal(images):
    return images.flatten(1) @ WEIGHTS


def there_and_back(steps, depth=1.0, kind="scaled_linear_beta"):
    schedule, x = Schedule(kind, steps), WORLD.images(4)
    level = schedule.level(depth)
    noise = WORLD.noise(schedule)
    up = inverted(noise, schedule, x, level)
    return x, up, denoised(noise, schedule, up[-1], level), level, schedule


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_inverted_and_denoised_is_the_image_again(kind):
    x, _, back, _, _ = there_and_back(300, 0.6, kind)
    assert (back - x).abs().max() < 0.03


def test_the_error_of_the_copy_falls_with_the_number_of_steps():
    """DDIM is a method of first order: twice the steps, half the error."""
    errors = [float((back - x).abs().mean()) for x, _, back, _, _ in map(there_and_back, (50, 150, 450))]
    assert errors[1] < errors[0] / 2 and errors[2] < errors[1] / 2


def test_inverted_images_are_noise_of_the_level():
    """The flow takes each axis of variance λ to one of variance a λ + 1 − a, and deviations keep their sign and share."""
    x, up, _, level, schedule = there_and_back(999, 0.5)
    kept = schedule.kept(level)
    begun = (x.flatten(1) - WORLD.mean) @ WORLD.axes / WORLD.variances.sqrt()
    ended = (up[-1].flatten(1) - kept**0.5 * WORLD.mean) @ WORLD.axes
    wanted = begun * (kept * WORLD.variances + 1 - kept).sqrt()
    assert (ended - wanted).abs().max() < 0.03 * wanted.abs().max()


@pytest.mark.parametrize("depth", [1.0, 0.5])
def test_guidance_by_a_linear_classifier_moves_images_as_known(depth):
    _, up, back, level, schedule = there_and_back(400, depth)
    guidance = Guidance(WORLD.noise(schedule), schedule, goal)
    scale = torch.tensor([-1.0, 0.5, 1.0, 2.0], dtype=torch.double)
    moved = denoised(guidance.noise, schedule, up[-1], level, guide=guidance.by(scale))
    wanted = scale[:, None] * WORLD.shift(WEIGHTS, schedule.kept(level))
    found = (moved - back).flatten(1)
    assert (found - wanted).norm() < 0.04 * wanted.norm()


def test_from_pure_noise_the_way_is_that_of_the_covariance_and_not_of_the_weights():
    kept = Schedule(steps=999).kept(999)
    wanted = WORLD.shift(WEIGHTS, kept)
    cosines = [
        float(torch.cosine_similarity(wanted, other, dim=0))
        for other in (WORLD.covariance @ WEIGHTS, WEIGHTS)
    ]
    assert cosines[0] > 0.999 and cosines[1] < 0.9


def test_the_null_pushes_as_hard_and_elsewhere():
    schedule = Schedule(steps=50)
    x = WORLD.images(3)
    other = torch.randn(PIXELS, generator=torch.Generator().manual_seed(6), dtype=torch.double)
    real = Guidance(WORLD.noise(schedule), schedule, goal)
    null = Guidance(real.noise, schedule, goal, lambda images: 7 * (images.flatten(1) @ other))
    plain = real.noise(x, schedule.time(20))
    pushes = [(g.by(torch.ones(3))(x, 20) - plain).flatten(1) for g in (real, null)]
    torch.testing.assert_close(pushes[0].norm(dim=1), pushes[1].norm(dim=1))
    kept = schedule.kept(20)
    along = ((other @ WORLD.axes) * WORLD.variances / (kept * WORLD.variances + 1 - kept)) @ WORLD.axes.T
    assert torch.cosine_similarity(pushes[1][0], -along, dim=0) > 1 - 1e-9


def test_the_step_is_monais_and_holds_its_own_image():
    """x_t = √a x_0 + √(1 − a) ε with the true ε goes to any other level exactly."""
    schedule = Schedule("cosine", 10)
    x, noise = WORLD.images(2), WORLD.images(2, seed=1)

    def at(level):
        kept = schedule.kept(level)
        return kept**0.5 * x + (1 - kept) ** 0.5 * noise

    torch.testing.assert_close(schedule.down(noise, 7, at(7)), at(6), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(schedule.up(noise, 7, at(7)), at(8), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(schedule.clean(noise, 7, at(7)), x, atol=1e-6, rtol=1e-5)


def test_what_cannot_be_is_told():
    with pytest.raises(InputError, match=r"steps: found 1000, expected 1 … 999"):
        Schedule(steps=1000)
    with pytest.raises(InputError, match=r"schedule: found 'round', expected linear_beta"):
        Schedule("round")
    with pytest.raises(InputError, match=r"depth: found 0, expected a share"):
        Schedule().level(0)
    schedule = Schedule()
    deaf = Guidance(WORLD.noise(schedule), schedule, lambda images: torch.zeros(len(images)))
    with pytest.raises(ModelError, match=r"classifier: gives no gradient"):
        deaf.by(torch.ones(1))(WORLD.images(1), 3)
