"""In-fill from neighbours: against the system written out voxel by voxel, and Quantus in 2-D."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from quantus_peer import quantus

from voxplain.metric.faithfulness.infill import filled, neighbour_mean, neighbour_weights


def dense(image, missing, spacing):
    """Solve Σ_u w(u − v) (x(v) − x(u)) = 0 for the missing v with a full matrix over the whole image."""
    places = list(product(*map(range, image.shape)))
    number = {place: i for i, place in enumerate(places)}
    matrix, right = np.eye(len(places)), image.ravel().copy()
    for place in places:
        if not missing[place]:
            continue
        row = np.zeros(len(places))
        for offset in product((-1, 0, 1), repeat=image.ndim):
            near = tuple(p + o for p, o in zip(place, offset, strict=True))
            if any(offset) and near in number:
                weight = 1 / sum((o * s) ** 2 for o, s in zip(offset, spacing, strict=True))
                row[number[place]] += weight
                row[number[near]] -= weight
        matrix[number[place]], right[number[place]] = row, 0.0
    return np.linalg.solve(matrix, right).reshape(image.shape)


@pytest.mark.parametrize("share", [0.1, 0.6, 0.97])
@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((9, 7), (1, 1)), ((8, 6), (2, 0.5)), ((5, 6, 4), (1, 1, 1)), ((5, 6, 4), (1, 1, 3))],
)
def test_it_solves_the_neighbours_equations(shape, spacing, share):
    rng = np.random.default_rng(3)
    image, missing = rng.normal(size=shape) + 100, rng.random(shape) < share
    missing.flat[0], missing.flat[1] = False, True
    found = filled(image, missing, spacing)
    np.testing.assert_allclose(found, dense(image, missing, spacing), atol=2e-5)
    assert np.array_equal(found[~missing], image[~missing])


def test_the_published_weights_in_2d_and_their_kin_in_3d():
    """1/6 and 1/12 in 2-D. In 3-D 6 faces of 1, 12 edges of 1/2, 8 corners of 1/3: 44/3 in all."""
    assert neighbour_weights((1, 1))[0, 1] == pytest.approx(1 / 6)
    assert neighbour_weights((1, 1))[0, 0] == pytest.approx(1 / 12)
    w = neighbour_weights((1, 1, 1))
    assert [w[0, 1, 1], w[0, 0, 1], w[0, 0, 0], w[1, 1, 1]] == pytest.approx([3 / 44, 3 / 88, 1 / 44, 0])


@pytest.mark.parametrize("shape", [(12, 12), (10, 10, 10)])
def test_a_hole_in_a_ramp_is_closed(shape):
    """An affine image is the mean of its neighbours everywhere inside."""
    image = sum((k + 1) * axis for k, axis in enumerate(np.indices(shape))).astype(float)
    missing = np.zeros(shape, bool)
    missing[(slice(2, -2),) * len(shape)] = True
    np.testing.assert_allclose(filled(image, missing, (1,) * len(shape)), image, atol=1e-4)


def test_a_voxel_alone_is_the_mean_of_its_neighbours():
    image = np.random.default_rng(0).normal(size=(5, 4, 3))
    mean = neighbour_mean(image, (1, 1, 2))
    for place in [(0, 0, 0), (2, 2, 1), (4, 0, 2)]:
        missing = np.zeros(image.shape, bool)
        missing[place] = True
        assert filled(image, missing, (1, 1, 2))[place] == pytest.approx(mean[place])


def test_nothing_known_is_the_mean_and_nothing_missing_the_image():
    image = np.random.default_rng(0).normal(size=(5, 4))
    assert np.array_equal(filled(image, np.zeros((5, 4), bool), (1, 1)), image)
    assert np.array_equal(filled(image, np.ones((5, 4), bool), (1, 1)), np.full((5, 4), image.mean()))


def test_quantus_fills_in_the_same_in_2d():
    imputed = quantus("functions.perturb_func").noisy_linear_imputation
    rng = np.random.default_rng(1)
    image = rng.normal(size=(2, 11, 8))
    missing = rng.random((11, 8)) < 0.5
    theirs = imputed(image, np.flatnonzero(missing), noise=0.0)
    ours = np.stack([filled(channel, missing, (1, 1)) for channel in image])
    np.testing.assert_allclose(ours, theirs, atol=2e-5)
