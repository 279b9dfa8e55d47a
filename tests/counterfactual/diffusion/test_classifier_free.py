"""Guidance by conditions in a normal world with a noisy linear logit, where the best denoiser told of it is known."""

from __future__ import annotations

import pytest
import torch
from diffusion_world import PIXELS, SHAPE, WORLD, Known

from voxplain.counterfactual.diffusion import ConditionalDenoiser, DiffusionGenerator, Schedule
from voxplain.counterfactual.diffusion.classifier_free import (
    ClassifierFreeExplainer,
    ConditionGuidance,
    leaning,
)
from voxplain.counterfactual.diffusion.nulls import guided_nulls
from voxplain.counterfactual.generator import LatentStatistics
from voxplain.errors import InputError

WEIGHTS = torch.randn(PIXELS, generator=torch.Generator().manual_seed(8), dtype=torch.double)
VARIANCE = float(WEIGHTS @ WORLD.covariance @ WEIGHTS)
SPREAD, MIDDLE = VARIANCE**0.5, 0.7
X = WORLD.images(1, seed=4)[0]
HALF = (torch.arange(4) < 2).reshape(1, 1, 4).expand(1, 4, 4)


def score(images):
    """A black box: numpy() refuses what a gradient is asked of."""
    away = images.numpy().reshape(len(images), -1) - WORLD.mean.numpy()
    return torch.from_numpy(away @ WEIGHTS.numpy() + MIDDLE)


class Told(torch.nn.Module):
    """The best network: of images whose logit, seen with noise of variance τ², is told as by `ConditionalDenoiser`."""

    def __init__(self, schedule, noise):
        super().__init__()
        self.schedule, self.plain = schedule, Known(schedule)
        along = WORLD.covariance @ WEIGHTS / (VARIANCE + noise)
        self.along = along
        self.covariance = WORLD.covariance - torch.outer(along, along) * (VARIANCE + noise)
        self.variances, self.axes = torch.linalg.eigh(self.covariance)

    def forward(self, x, times, class_labels):
        time = int(times[0])
        kept = float(self.schedule.alphas[time])
        mean = WORLD.mean + class_labels[:, :1].double() * SPREAD * self.along
        away = (x.flatten(1) - kept**0.5 * mean) @ self.axes
        noise = (1 - kept) ** 0.5 * (away / (kept * self.variances + 1 - kept)) @ self.axes.T
        told = (noise.reshape(x.shape) - (1 - kept) ** 0.5 * x) / kept**0.5
        known = class_labels[:, 1].reshape(-1, 1, 1, 1) > 0
        return told if bool(known.all()) else torch.where(known, told, self.plain(x, times))


def generator(steps, depth, noise=0.0):
    schedule = Schedule(steps=steps)
    denoiser = ConditionalDenoiser(Told(schedule, noise), schedule.kind, middle=MIDDLE, unit=SPREAD)
    plausible = LatentStatistics(WORLD.mean, WORLD.axes * WORLD.variances.sqrt())
    return DiffusionGenerator(denoiser, SHAPE, plausible, steps=steps, depth=depth).double()


def explainer(steps=40, depth=1.0, noise=0.0, **other):
    return ClassifierFreeExplainer(generator(steps, depth, noise), score, SPREAD, **other)


def shift(made, logit, noise):
    """By what a condition that is so much higher moves an image: the flow from level a holds each axis' share of noise."""
    network, kept = made.denoiser.network, made.schedule.kept(made.level)
    axes, variances = network.axes, network.variances.clamp_min(0)
    back = (kept * variances / (kept * variances + 1 - kept)).sqrt()
    return axes @ ((1 - back) * (axes.T @ network.along)) * logit


def test_the_formula_is_that_of_the_paper_bit_by_bit():
    plain, told = WORLD.images(3), WORLD.images(3, seed=1)
    scale = torch.tensor([0.0, 1.5, -2.0], dtype=torch.double)
    wanted = torch.stack([e + s * (c - e) for e, c, s in zip(plain, told, scale, strict=True)])
    assert torch.equal(leaning(plain, told, scale), wanted) and torch.equal(wanted[0], plain[0])
    schedule = Schedule(steps=10)
    guide = ConditionGuidance(
        lambda x, t: plain, lambda x, t: told, lambda x, t: plain, schedule, apart=2.0
    ).by(2.0 * scale)
    assert torch.equal(guide(plain, 3), wanted)


def test_from_pure_noise_a_dose_is_a_standard_deviation_of_logits_and_reaches_it():
    begins = float(score(X[None])[0])
    path = explainer(40, limit=4.0, scan=2).explain(X, begins + 2 * SPREAD)
    assert path.reached and path.monotone and path.dose == pytest.approx(2, rel=0.1)
    wanted = (WORLD.covariance @ WEIGHTS / SPREAD * 2).reshape(SHAPE)
    assert (path.map("difference") - wanted).norm() < 0.1 * wanted.norm()
    assert path.diagnostics["direction"] == "classifier-free guidance"


@pytest.mark.parametrize(("depth", "noise"), [(0.5, 0.0), (0.5, VARIANCE), (1.0, VARIANCE)])
def test_images_move_as_the_conditional_flow_does(depth, noise):
    told = explainer(150, depth, noise)
    begins = float(score(X[None])[0])
    for doses, target in (
        (torch.tensor([0.5, 2.0]), begins + 1.5 * SPREAD),
        (torch.tensor([-1.0]), begins - 3 * SPREAD),
    ):
        way = told.way(X, None, begins, target)
        moved = told.frames(way, X, doses.double()) - X
        for dose, found in zip(doses, moved, strict=True):
            wanted = shift(told.generator, float(dose) * SPREAD, noise).reshape(SHAPE)
            assert (found - wanted).norm() < 0.03 * wanted.norm()


@pytest.mark.parametrize("mask", [None, HALF])
def test_there_and_back_comes_the_image(mask):
    told = explainer(40, 0.5)
    begins = float(score(X[None])[0])
    plain = explainer(40, 0.5, reinject=False)
    way = plain.way(X, mask, begins, begins + SPREAD)
    torch.testing.assert_close(plain.frames(way, X, torch.zeros(1).double())[0], way.copy)
    path = told.explain(X, begins - SPREAD, mask)
    assert (told.back(path) - X).abs().mean() < 0.02 * (path.frames[4] - X).abs().mean()


def test_a_copy_is_that_of_images_with_this_logit():
    """Told the own logit, codes are noise in which nothing of the logit is left; told another one, something is."""
    made, images = generator(200, 1.0), WORLD.images(40, seed=9)
    logits = score(images)
    told = made.told(logits)
    assert (told.decode(told.encode(images)) - images).abs().mean() < 0.02
    assert not torch.equal(told.encode(images), made.encode(images))
    left = made.told(torch.tensor([MIDDLE])).encode(images) - told.encode(images)
    along = left @ made.denoiser.network.along
    assert abs(float(torch.corrcoef(torch.stack([along, logits]))[0, 1])) > 0.999


def test_nothing_changes_outside_of_a_mask_bit_by_bit():
    path = explainer(40, 0.5).explain(X, float(score(X[None])[0]) + 0.3 * SPREAD, HALF)
    assert path.reached
    for frame in path.frames:
        assert torch.equal(frame[~HALF], X[~HALF])
    assert (path.frames[4] - X)[HALF].abs().min() > 0


def test_the_null_pushes_as_hard_in_the_sense_of_its_goal():
    schedule, x = Schedule(steps=50), WORLD.images(3)
    made = generator(50, 1.0, VARIANCE)
    own, other = made.told(torch.tensor([0.0])).noise, made.told(torch.tensor([-2 * SPREAD])).noise
    real = ConditionGuidance(own, other, made.denoiser, schedule, apart=-2.0)
    null = real.led_by(lambda images: images.flatten(1) @ WEIGHTS)
    doses, plain = torch.tensor([1.0, 0.5, -1.0]).double(), own(x, schedule.time(20))
    pushes = [(g.by(doses)(x, 20) - plain).flatten(1) for g in (real, null)]
    torch.testing.assert_close(pushes[0].norm(dim=1), pushes[1].norm(dim=1))
    assert not pushes[1].requires_grad
    # noise is taken away along the goal, which at this depth is not quite the way of the condition
    assert torch.equal((pushes[0] * pushes[1]).sum(1) > 0, torch.tensor([True] * 3))
    assert torch.equal(pushes[1] @ WEIGHTS < 0, doses > 0)


def test_random_guidance_flips_where_its_goal_is_the_logit():
    told = explainer(limit=4.0)
    x = X - WEIGHTS.reshape(SHAPE) * (score(X[None]) + SPREAD) / (WEIGHTS @ WEIGHTS)  # its logit is −SPREAD

    def same(images):
        return images.flatten(1) @ WEIGHTS

    def across(images):  # uncorrelated with the logit
        other = torch.flip(WEIGHTS, [0])
        return images.flatten(1) @ (other - other @ WORLD.covariance @ WEIGHTS / VARIANCE * WEIGHTS)

    assert guided_nulls(told, [same, across], x, dose=2.0, target=SPREAD, where=None) == (0.5, 0.5)


def test_a_near_target_does_not_make_the_way_endless():
    """The condition goes at least one deviation, so that doses stay finite; a target that is reached needs none."""
    told, begins = explainer(10), float(score(X[None])[0])
    for target in (begins, begins + 1e-9 * SPREAD):
        path = told.explain(X, target)
        assert path.dose < 0.1 and bool(torch.isfinite(path.frames).all())


def test_what_cannot_be_is_told():
    from diffusion_world import generator as without

    with pytest.raises(
        InputError, match=r"generator: was trained without conditions, expected conditional: true"
    ):
        without(5, 1.0).told(torch.zeros(1))
    with pytest.raises(InputError, match=r"condition: found a logit that is not finite"):
        generator(5, 1.0).told(torch.tensor([float("nan")]))
