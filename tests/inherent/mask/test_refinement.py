"""Refinements against sums over all pairs, exact linear systems, symmetry, and truth that they should find again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from voxplain.errors import InputError
from voxplain.inherent.mask import DenseCrf, RandomWalker
from voxplain.inherent.mask.dense_crf import alike_mean, smooth_mean
from voxplain.inherent.overlap import dice


def displaced_disc(shape=(40, 40), spacing=(1.0, 1.0), noise=0.15, seed=0):
    """A disc of 9 mm, an image with sharp edges and noise, and a score that is 3 mm beside it, 0 at its own border."""
    rng = np.random.default_rng(seed)
    grid = np.meshgrid(
        *[(np.arange(n) - n / 2) * s for n, s in zip(shape, spacing, strict=True)], indexing="ij"
    )
    distance = np.sqrt(sum(g**2 for g in grid))
    truth = distance < 9
    image = (truth + rng.normal(0, noise, shape))[None].astype(np.float32)
    beside = np.sqrt((grid[0] - 3) ** 2 + sum(g**2 for g in grid[1:]))
    score = np.clip(9 - beside, -6, 6).astype(np.float32)
    return truth, image, score


# ---- dense CRF -------------------------------------------------------------------------------------------------------


def brute_mean(q, sigma, spacing, channel=None, alike=1.0):
    """The mean over all other voxels, pair by pair. A Gaussian of the distance is a product over axes."""
    places = list(itertools.product(*[range(n) for n in q.shape]))
    out = np.zeros(q.shape)
    for i in places:
        total = weight = 0.0
        for j in places:
            if i == j:
                continue
            k = np.exp(
                -sum(((a - b) * s) ** 2 for a, b, s in zip(i, j, spacing, strict=True)) / (2 * sigma**2)
            )
            if channel is not None:
                k *= np.exp(-((channel[i] - channel[j]) ** 2) / (2 * alike**2))
            total, weight = total + k * q[j], weight + k
        out[i] = total / weight
    return out


SHAPES = [((7, 8), (1.0, 1.0)), ((7, 8), (2.0, 0.5)), ((4, 5, 3), (1.0, 0.7, 3.0))]


@pytest.mark.parametrize(("shape", "spacing"), SHAPES)
def test_the_smooth_mean_is_the_sum_over_pairs(shape, spacing):
    q = np.random.default_rng(0).random(shape)
    ours = smooth_mean(shape, 2.0, spacing)(q)
    np.testing.assert_allclose(ours, brute_mean(q, 2.0, spacing), atol=2e-3)  # Gaussians end at 4 σ


@pytest.mark.parametrize(("shape", "spacing"), SHAPES)
def test_the_alike_mean_is_the_sum_over_pairs_on_the_grid(shape, spacing):
    rng = np.random.default_rng(1)
    q, channel = rng.random(shape), rng.integers(0, 9, shape) / 8.0
    channel.flat[:2] = 0, 1  # the grid goes from the smallest to the largest
    ours = alike_mean(channel * 50 - 7, 2.5, 0.3, 9, spacing)(q)
    np.testing.assert_allclose(ours, brute_mean(q, 2.5, spacing, channel, 0.3), atol=3e-3)


def test_between_levels_the_grid_is_close():
    rng = np.random.default_rng(2)
    q, channel = rng.random((7, 8)), rng.random((7, 8))
    channel.flat[:2] = 0, 1
    ours = alike_mean(channel, 2.5, 0.2, 64, (1.0, 1.0))(q)
    np.testing.assert_allclose(ours, brute_mean(q, 2.5, (1.0, 1.0), channel, 0.2), atol=5e-3)


def test_mean_field_is_its_formula_pair_by_pair():
    rng = np.random.default_rng(3)
    score, image = rng.normal(size=(6, 7)).astype(np.float32), rng.integers(0, 5, (2, 6, 7)) / 4.0
    image[:, 0, :2] = 0, 1
    crf = DenseCrf(0.7, 1.5, 1.2, 3.0, 0.4, temperature=0.8, rounds=3, levels=5)
    q = 1 / (1 + np.exp(-(score.astype(float) - 0.2) / 0.8))
    for _ in range(3):
        odds = (score.astype(float) - 0.2) / 0.8 + 0.7 * (2 * brute_mean(q, 1.5, (1.0, 2.0)) - 1)
        for channel in image:
            odds += 0.6 * (2 * brute_mean(q, 3.0, (1.0, 2.0), channel, 0.4) - 1)
        q = 1 / (1 + np.exp(-odds))
    ours = crf.probability(score, 0.2, image.astype(np.float32), (1.0, 2.0))
    np.testing.assert_allclose(ours, q, atol=4e-3)


def test_only_millimetres_count():
    _, image, score = displaced_disc()
    fine = DenseCrf(smooth_mm=1.0, near_mm=4.0).probability(score, 0, image, (0.5, 1.5))
    coarse = DenseCrf(smooth_mm=2.0, near_mm=8.0).probability(score, 0, image, (1.0, 3.0))
    np.testing.assert_allclose(fine, coarse, atol=1e-9)
    assert not np.allclose(
        fine, DenseCrf(smooth_mm=1.0, near_mm=4.0).probability(score, 0, image, (1.5, 0.5)), atol=1e-3
    )


def test_without_pairs_nothing_changes():
    _, image, score = displaced_disc()
    for crf in (DenseCrf(smoothness=0, appearance=0), DenseCrf(smoothness=0, appearance=0, rounds=1)):
        assert np.array_equal(crf(score > 1, score, 1.0, image), score > 1)


# ---- random walker ---------------------------------------------------------------------------------------------------


def walk_probability(line, spacing, beta):
    """Chance to reach the left end of a line first: potentials of a chain of resistors.

    Edges as in scikit-image: weight exp(−β Δ² / (10 σ²)) / spacing, plus 1e-10.
    """
    weights = np.exp(-beta * np.diff(line) ** 2 / (10 * line.std() ** 2)) / spacing + 1e-10
    resistance = np.cumsum(1 / weights)
    return 1 - np.concatenate([[0], resistance]) / resistance[-1]


def test_on_a_line_the_walk_is_a_chain_of_resistors():
    line = np.array([0, 0.1, 0.15, 0.3, 0.9, 1.0, 1.0, 1.1], np.float32)
    chance = walk_probability((line / 1.1).astype(float), 1.0, 20.0)
    mask, score = np.zeros((1, 8), bool), -np.arange(8, dtype=np.float32)[None]
    mask[0, 0] = True
    walker = RandomWalker(sure=1.0, band=6.5, beta=20.0)
    assert walker.seeds(mask, score, (1.0, 1.0)).tolist() == [[1, 0, 0, 0, 0, 0, 0, 2]]
    assert walker(mask, score, -0.5, line[None, None])[0].tolist() == (chance > 0.5).tolist()
    assert 1 < (chance > 0.5).sum() < 7


def test_seeds_are_the_surest_inside_and_the_far_outside_in_millimetres():
    mask = np.zeros((1, 12), bool)
    mask[0, 4:6] = True
    score = np.where(mask, 1.0, 0).astype(np.float32)
    score[0, 4] = 3
    # 2 mm per column: distances from column 5 are 2, 4, 6 … to the right, from column 4 the same to the left
    seeds = RandomWalker(sure=0.5, band=4.0).seeds(mask, score, (1.0, 2.0))
    assert seeds.tolist() == [[2, 2, 0, 0, 1, 0, 0, 0, 2, 2, 2, 2]]
    assert RandomWalker(sure=1.0, band=99.0).seeds(mask, score, (1.0, 2.0))[0].tolist() == [0] * 4 + [
        1,
        1,
    ] + [0] * 5 + [2]


# ---- both ------------------------------------------------------------------------------------------------------------

BOTH = [RandomWalker(band=5.0), DenseCrf()]
NAMES = [r.name for r in BOTH]


@pytest.mark.parametrize("refine", BOTH, ids=NAMES)
@pytest.mark.parametrize(
    ("shape", "spacing"), [((40, 40), (1.0, 1.0)), ((80, 30), (0.5, 1.5)), ((28, 28, 14), (1.0, 1.0, 2.0))]
)
def test_a_displaced_mask_moves_to_the_edge(refine, shape, spacing):
    truth, image, score = displaced_disc(shape, spacing)
    before = score > 0
    after = refine(before, score, 0.0, image, spacing)
    assert dice(after, truth) > max(0.93, dice(before, truth) + 0.08)


@pytest.mark.parametrize("refine", BOTH, ids=NAMES)
@pytest.mark.parametrize("axis", [0, 1])
def test_a_flip_of_all_is_a_flip_of_the_mask(refine, axis):
    _, image, score = displaced_disc((39, 41))
    plain = refine(score > 0, score, 0.0, image, (1.0, 0.8))
    flipped = refine(
        np.flip(score > 0, axis), np.flip(score, axis), 0.0, np.flip(image, axis + 1), (1.0, 0.8)
    )
    assert (np.flip(flipped, axis) != plain).mean() < 0.002


@pytest.mark.parametrize("refine", BOTH, ids=NAMES)
def test_units_of_the_image_do_not_matter(refine):
    _, image, score = displaced_disc()
    moved = refine(score > 0, score, 0.0, image * 400 - 1000)
    assert (moved != refine(score > 0, score, 0.0, image)).mean() < 0.002


@pytest.mark.parametrize("refine", BOTH, ids=NAMES)
@pytest.mark.parametrize("full", [False, True])
def test_nothing_and_everything_stay(refine, full):
    _, image, score = displaced_disc()
    mask = np.full(score.shape, full)
    assert np.array_equal(refine(mask, score, 0.0, image), mask)


@pytest.mark.parametrize("refine", BOTH, ids=NAMES)
def test_an_image_without_borders_leaves_the_mask(refine):
    _, image, score = displaced_disc()
    assert np.array_equal(refine(score > 0, score, 0.0, np.full_like(image, 3)), score > 0)


@pytest.mark.parametrize("refine", BOTH, ids=NAMES)
def test_a_constant_channel_says_nothing(refine):
    _, image, score = displaced_disc()
    two = np.concatenate([image, np.full_like(image, 3)])
    assert np.array_equal(refine(score > 0, score, 0.0, two), refine(score > 0, score, 0.0, image))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: DenseCrf()(s > 0, s, 0.0, None), "image: found none, expected one to refine by dense CRF"),
        (lambda s: RandomWalker()(s > 0, s, 0.0, np.zeros((1, 3, 3))), r"image: found shape \(3, 3\)"),
        (lambda s: DenseCrf(near_mm=0), "near_mm: found 0"),
        (lambda s: DenseCrf(temperature=0), "temperature: found 0"),
        (lambda s: DenseCrf(rounds=0), "rounds, levels: found 0"),
        (lambda s: RandomWalker(sure=0), "sure: found 0"),
        (lambda s: RandomWalker(band=0), "band, beta: found 0"),
    ],
)
def test_what_cannot_be_refined_is_told(make, message):
    with pytest.raises(InputError, match=message):
        make(np.eye(4, dtype=np.float32))
