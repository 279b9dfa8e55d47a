"""Series of images by guidance in a world where dose, change and places are known."""

from __future__ import annotations

import pytest
import torch
from diffusion_world import PIXELS, SHAPE, WORLD, generator

from voxplain.counterfactual.diffusion.explain import DiffusionExplainer
from voxplain.counterfactual.diffusion.nulls import guided_nulls, random_goal
from voxplain.counterfactual.diffusion.places import changed_most
from voxplain.errors import InputError

WEIGHTS = torch.randn(PIXELS, generator=torch.Generator().manual_seed(8), dtype=torch.double)
SPREAD = float((WEIGHTS @ WORLD.covariance @ WEIGHTS).sqrt())  # of the logits
X = WORLD.images(1, seed=4)[0]
HALF = (torch.arange(4) < 2).reshape(1, 1, 4).expand(1, 4, 4)


def score(images):
    return (images.flatten(1) - WORLD.mean) @ WEIGHTS


def explainer(depth=1.0, steps=40, **other):
    return DiffusionExplainer(generator(steps, depth), score, SPREAD, **other)


def test_from_pure_noise_a_dose_is_a_standard_deviation_of_plausible_images():
    """Σ w / √(w Σ w) has length 1 by Mahalanobis, and the logit rises by √(w Σ w) along it."""
    begins = float(score(X[None]))
    path = explainer(steps=80, limit=4.0, scan=2).explain(X, begins + 2 * SPREAD)
    assert path.reached and path.monotone and path.dose == pytest.approx(2, rel=0.1)
    wanted = (WORLD.covariance @ WEIGHTS / SPREAD * 2).reshape(SHAPE)
    assert (path.map("difference") - wanted).norm() < 0.1 * wanted.norm()
    rises = (path.scores - begins) / SPREAD
    torch.testing.assert_close(rises, path.doses, rtol=0.1, atol=0.02)
    assert path.diagnostics["typical distance"] == 4.0
    inverse = torch.linalg.inv(WORLD.covariance)
    for name, image in (("before", X), ("after", path.frames[4])):
        away = image.flatten() - WORLD.mean
        assert path.diagnostics[f"distance {name}"] == pytest.approx(float((away @ inverse @ away).sqrt()))


def test_without_a_dose_comes_the_copy_and_with_what_is_left_the_image():
    told = explainer(0.5, reinject=False)
    way = told.way(X, None, float(score(X[None])), 0.0)
    copy = told.generator.decode(told.generator.encode(X[None]))[0]
    assert torch.equal(way.copy, copy) and not torch.equal(copy, X)
    torch.testing.assert_close(told.frames(way, X, torch.zeros(1))[0], copy)
    path = explainer(0.5).explain(X, float(score(X[None])) - SPREAD)
    assert torch.equal(path.frames[0], X)
    assert path.diagnostics["error of the copy"] == pytest.approx(float((X - copy).abs().mean()))


@pytest.mark.parametrize("mask", [None, HALF])
def test_pushed_back_as_hard_the_image_comes_again(mask):
    """In a normal world with a linear logit guidance moves all images alike, so the way back is the way there."""
    told = explainer(0.5)
    path = told.explain(X, float(score(X[None])) - 0.5 * SPREAD, mask)
    moved = (path.frames[4] - X).abs().mean()
    assert (told.back(path) - X).abs().mean() < 1e-3 * moved


@pytest.mark.parametrize("reinject", [True, False])
def test_nothing_changes_outside_of_a_mask_bit_by_bit(reinject):
    path = explainer(0.5, reinject=reinject).explain(X, float(score(X[None])) + 0.5 * SPREAD, HALF)
    assert len(path.frames) == 7 and path.reached
    for frame in path.frames:
        assert torch.equal(frame[~HALF], X[~HALF])
    assert (path.frames[4] - X)[HALF].abs().min() > 0
    assert path.diagnostics["edited share"] == 0.5 and torch.equal(path.maps["places"], HALF.double())


def test_places_are_found_where_a_free_edit_changes_most():
    told = explainer(0.5, share=0.25, margin=0)
    target = float(score(X[None])) + 0.5 * SPREAD
    free = told.explain(X, target)
    bound = told.explain(X, target, "auto")
    most = changed_most(free.map("difference"), share=0.25, margin=0)
    assert int(most.sum()) == 4 and torch.equal(bound.maps["places"] > 0, most)
    assert torch.equal((bound.map("difference") != 0), most)


def test_places_grow_by_their_margin():
    difference = torch.zeros(1, 5, 6, 7)
    difference[0, 2, 3, 4] = -1
    found = changed_most(difference, share=1 / 210, margin=1)
    wanted = torch.zeros(1, 5, 6, 7, dtype=torch.bool)
    wanted[0, 1:4, 2:5, 3:6] = True
    assert torch.equal(found, wanted)
    with pytest.raises(InputError, match=r"share, margin: found 0, 1"):
        changed_most(difference, share=0)


def test_random_goals_have_the_sense_in_which_logits_rise_and_variance_1():
    images = WORLD.images(4000, seed=2)
    plausible = generator(5, 1.0).plausible
    for seed in range(4):
        goal = random_goal(plausible, images, score(images), seed=seed)
        told = goal(images)
        assert float(told.var()) == pytest.approx(1, abs=0.1)
        assert float(torch.corrcoef(torch.stack([told, score(images)]))[0, 1]) > 0


def test_random_guidance_flips_where_it_reaches_and_not_where_it_does_not():
    """A goal that is the logit itself flips as the logit's own guidance does; one that is at odds with it never does."""
    told = explainer(limit=4.0)
    x = X - WEIGHTS.reshape(SHAPE) * (score(X[None]) + SPREAD) / (WEIGHTS @ WEIGHTS)  # its logit is −SPREAD

    def across(images):  # uncorrelated with the logit
        other = torch.flip(WEIGHTS, [0])
        along = other @ WORLD.covariance @ WEIGHTS / SPREAD**2
        return images.flatten(1) @ (other - along * WEIGHTS)

    assert guided_nulls(told, [score, across], x, dose=1.5, target=0.0, where=None) == (0.5, 0.5)
    assert guided_nulls(told, [score], x, dose=0.5, target=0.0, where=None) == (0.0, 1.0)


def test_codes_are_as_far_from_their_mean_as_images_from_theirs():
    """Of the levels' own mean and covariance, computed from inverted images."""
    made = generator(111, 0.5)
    codes = made.encode(WORLD.images(1000, seed=7))
    statistics = made.statistics
    u = statistics.whiten(codes)
    assert float(u.mean(0).abs().max()) < 0.15
    torch.testing.assert_close(torch.cov(u.T), torch.eye(16, dtype=torch.double), atol=0.2, rtol=0)
    drawn = made.decode(made.sample(1000, seed=1)).flatten(1)
    spread = (drawn @ WORLD.axes).var(0)
    torch.testing.assert_close(spread, WORLD.variances, rtol=0.25, atol=0)
    assert float((drawn.mean(0) - WORLD.mean).abs().max()) < 0.25
