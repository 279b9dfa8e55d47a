"""Patterns of voxels and scores where they are known in closed form, and families that are wrong about them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import hadamard

from voxplain.counterfactual.measure.pattern import BLOCK, Pattern, Patterns, check_patterns
from voxplain.errors import InputError

SHAPE = (2, 3, 4)
SIZE = 24
RNG = np.random.default_rng(3)
MIX, READ = torch.from_numpy(RNG.normal(size=(SIZE, 7))), torch.from_numpy(RNG.normal(size=SIZE))


def images(latents):
    """x = A w + 5."""
    return (latents @ MIX.T + 5).reshape(-1, *SHAPE)


def logits(x):
    return x.flatten(1) @ READ - 2


def centred(pattern):
    return pattern - pattern.mean()


def test_the_pattern_of_a_linear_world_is_sigma_c():
    """Cov(x, c · x) = A Aᵀ c. Latents of a Hadamard matrix have, in each block, mean 0 and covariance 8/7 exactly."""
    latents = torch.from_numpy(hadamard(BLOCK)[:, 1:].astype(float))
    x = images(torch.cat([latents, -latents, 3 * latents]))
    found = Pattern.empty(SHAPE)
    found.add(x, logits(x))
    wanted = centred(MIX @ MIX.T @ READ).reshape(SHAPE) * (8 + 8 + 72) / 21
    torch.testing.assert_close(found.map, wanted)


def drawn(count, where, seed, noise=3.0):
    """Images with an effect of a score at a place, under noise, and the scores."""
    rng = np.random.default_rng(seed)
    score = rng.normal(size=count)
    x = score[:, None] * where + noise * rng.normal(size=(count, len(where)))
    return torch.from_numpy(x.reshape(-1, *SHAPE)), torch.from_numpy(score)


HERE, THERE = np.zeros(SIZE), np.zeros(SIZE)
HERE[:6], THERE[12:18] = 1, 1
BETWEEN = float(np.corrcoef(HERE, THERE)[0, 1])  # of two places that exclude each other, −1/3


def of_samples(where, count, seeds):
    for seed in seeds:
        found = Patterns.empty(SHAPE)
        found.real.add(*drawn(count, HERE, [seed, 0]))
        found.samples.add(*drawn(count, where, [seed, 1]))
        yield found.of_samples


def test_few_images_do_not_look_like_a_bad_family():
    """Noise lowers r to the limit, which holds for any number of images, and the agreement is near 1 without it."""
    found = list(of_samples(HERE, 200, range(40)))
    assert np.mean([f.r for f in found]) == pytest.approx(np.mean([f.limit for f in found]), abs=0.04)
    assert 0.7 < np.mean([f.r for f in found]) < 0.9
    assert np.mean([f.agreement for f in found]) == pytest.approx(1, abs=0.05)
    assert np.mean([f.limit for f in of_samples(HERE, 2000, range(3))]) > 0.97
    assert all(f.agreement is None for f in of_samples(HERE, 8, range(3)))  # one block tells nothing of noise


def test_the_limit_is_the_correlation_with_as_many_new_images():
    """Written out: the mean correlation of patterns of 300 images with those of 300 others."""
    many = [drawn(300, HERE, [seed, 7]) for seed in range(60)]
    maps = []
    for x, y in many:
        x, y = x.flatten(1).numpy(), y.numpy()
        maps.append((x - x.mean(0)).T @ (y - y.mean()) / 299)
    wanted = np.mean([np.corrcoef(maps[n], maps[n + 1])[0, 1] for n in range(0, 60, 2)])
    found = np.mean([f.limit for f in of_samples(HERE, 300, range(30))])
    # the means of blocks cost an eighth of the images
    assert found == pytest.approx(wanted / (wanted + (1 - wanted) * 8 / 7), abs=0.03)


def test_an_effect_at_another_place_is_seen():
    found = [f.agreement for f in of_samples(THERE, 400, range(20))]
    assert np.mean(found) == pytest.approx(BETWEEN, abs=0.05) and max(found) < 0.2
    rng = np.random.default_rng(0)
    for seed in range(20):  # of places that say nothing of each other, 0
        where = rng.permutation(np.repeat([1.0, -1.0], SIZE // 2))
        where -= HERE * (where @ centred(torch.from_numpy(HERE)).numpy()) / 4.5
        assert abs(np.corrcoef(where, HERE)[0, 1]) < 1e-9
        (found,) = of_samples(where, 800, [seed])
        assert abs(found.agreement) < 0.25


def test_what_images_and_their_copies_share_by_chance_does_not_count():
    """Copies with the images' own noise and the effect elsewhere correlate by chance, and do not agree."""
    found = []
    for seed in range(30):
        x, y = drawn(96, HERE, [seed, 2])
        moved = x + (y[:, None] * torch.from_numpy(THERE - HERE)).reshape(x.shape)
        patterns = Patterns.empty(SHAPE)
        patterns.pair(x, y, moved, y)
        found.append(patterns.of_copies)
    known = [f.agreement for f in found if f.agreement is not None]
    assert len(known) > 20
    assert np.mean([f.r for f in found]) > BETWEEN + 0.3
    assert np.mean(known) == pytest.approx(BETWEEN, abs=0.15)


def test_exact_copies_agree_exactly_and_what_comes_later_is_no_pair():
    patterns = Patterns.empty(SHAPE)
    x, y = drawn(200, HERE, 5)
    for start in range(0, 64, 32):
        patterns.pair(
            x[start : start + 32], y[start : start + 32], x[start : start + 32], y[start : start + 32]
        )
    again = Patterns.empty(SHAPE)
    again.pair(x[:64], y[:64], x[:64], y[:64])
    assert again.of_copies.r == pytest.approx(1)
    assert again.of_copies == patterns.of_copies  # whatever the batches
    power = again.real.power / again.copies.power
    assert power == pytest.approx(1) and again.of_copies.agreement in (None, pytest.approx(1))
    again.real.add(x[64:], y[64:])
    read = Patterns.read(again.tensors())
    assert read.of_copies == again.of_copies and read.of_samples is None
    assert again.of_copies.r < 1


def test_a_family_that_answers_to_other_voxels_is_refused():
    def family(samples, copies):
        patterns = Patterns.empty(SHAPE)
        x, y = drawn(800, HERE, 1)
        made = x if copies is HERE else drawn(800, copies, 2)[0]
        patterns.pair(x, y, made, y if copies is HERE else drawn(800, copies, 2)[1])
        patterns.samples.add(*drawn(800, samples, 3))
        return patterns

    check_patterns(family(HERE, HERE), 0.7)
    check_patterns(family(THERE, THERE), -1)
    with pytest.raises(InputError, match=r"other voxels of its samples \(-0.\d\d\) than of real images"):
        check_patterns(family(THERE, HERE), 0.7)
    with pytest.raises(InputError, match=r"of its copies \(-0.\d\d\) than .* give it more room"):
        check_patterns(family(HERE, THERE), 0.7)
    with pytest.raises(InputError, match=r"of its samples \(.*\) and of its copies .* by 0.70 at least"):
        check_patterns(family(THERE, THERE), 0.7)
