"""Surface distances by hand, by distances between all pairs, and in millimetres."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_erosion

from voxplain.errors import InputError
from voxplain.inherent.evaluate import assd, hd95


def between(a, b, spacing):
    """From each surface voxel of both to the nearest of the other, pair by pair."""
    edges = [np.argwhere(m & ~binary_erosion(m)) * np.array(spacing) for m in (a, b)]
    far = np.linalg.norm(edges[0][:, None] - edges[1][None], axis=-1)
    return far.min(axis=1), far.min(axis=0)


@pytest.mark.parametrize(
    ("shape", "spacing"), [((14, 15), (1.0, 1.0)), ((14, 15), (0.5, 3.0)), ((9, 8, 10), (1, 2, 4))]
)
@pytest.mark.parametrize("seed", range(3))
def test_distances_are_those_of_all_pairs(shape, spacing, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.random(shape) < 0.2, rng.random(shape) < 0.15
    there, back = between(a, b, spacing)
    assert hd95(a, b, spacing) == pytest.approx(
        max(np.percentile(there, 95), np.percentile(back, 95)), rel=1e-5
    )
    assert assd(a, b, spacing) == pytest.approx(np.concatenate([there, back]).mean(), rel=1e-5)


def test_two_points_in_millimetres():
    a, b = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    a[1, 1], b[4, 5] = True, True
    assert hd95(a, b) == pytest.approx(5) and assd(a, b) == pytest.approx(5)
    assert hd95(a, b, (2.0, 0.5)) == pytest.approx(np.hypot(6, 2))
    assert hd95(a, b, (0.5, 2.0)) == pytest.approx(np.hypot(1.5, 8))


def test_conventions_of_empty_masks():
    nothing, something = np.zeros((5, 5), bool), np.eye(5) > 0
    for measure in (hd95, assd):
        assert measure(something, something) == 0
        assert measure(nothing, something) == np.inf
        assert np.isnan(measure(something, nothing)) and np.isnan(measure(nothing, nothing))
        with pytest.raises(InputError, match="prediction: found shape"):
            measure(nothing, np.zeros((4, 4), bool))
