"""Vessel trees: the mask is a union of capsules, the intensity a written formula."""

from __future__ import annotations

import numpy as np
import pytest

from voxplain.errors import InputError
from voxplain.phantom import vessels

OBLIQUE = np.array([[0.0, 0.8, 0.6, 5], [1.0, 0.0, 0.0, -3], [0.0, -0.6, 0.8, 9], [0, 0, 0, 1]])


def distance_outside(case) -> np.ndarray:
    """Signed distance (mm) of every voxel centre to the union of capsules, by brute force in float64."""
    geometry, shape = case.geometry, case.spatial_shape
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).reshape(-1, len(shape))
    points = index @ geometry.affine[:3, : len(shape)].T + geometry.affine[:3, 3]
    nearest = np.full(len(points), np.inf)
    for *ends, radius in case.meta["capsules"]:
        start, end = np.array(ends[:3]), np.array(ends[3:])
        along = (points - start) @ (end - start) / ((end - start) @ (end - start))
        foot = start + np.clip(along, 0, 1)[:, None] * (end - start)
        nearest = np.minimum(nearest, np.linalg.norm(points - foot, axis=1) - radius)
    return nearest.reshape(shape)


@pytest.mark.parametrize(
    "grid",
    [
        {"shape": (20, 20, 20)},
        {"shape": (40, 30)},
        {"shape": (18, 20, 12), "spacing": (1.0, 0.8, 2.0), "orientation": "LPS"},
        {"shape": (18, 20, 16), "affine": OBLIQUE @ np.diag([1.5, 1.0, 2.0, 1.0])},
        {"shape": (30, 30), "affine": OBLIQUE},
    ],
)
def test_mask_is_the_union_of_its_capsules(grid):
    case = vessels(**grid, seed=5, trees=2)
    outside = distance_outside(case)
    clear = np.abs(outside) > 1e-3  # mm: nearer than that, float32 may decide either way
    assert clear.mean() > 0.99
    assert np.array_equal(case.label[clear] == 1, outside[clear] <= 0)
    assert 0.005 < case.label.mean() < 0.5


def test_clean_intensity_is_the_stated_formula():
    case = vessels((20, 20, 20), seed=5, background=100, contrast=700, texture=0, noise=0, bias=0)
    coverage = np.clip(0.5 - distance_outside(case), 0, 1)  # 1 mm voxels
    assert np.allclose(case.image[0], 100 + 700 * coverage, atol=0.1)


def test_vessels_are_brighter_by_the_contrast_under_noise():
    case = vessels((40, 40, 40), seed=5, radius=(2.0, 3.0), background=300, contrast=500, texture=0, bias=0)
    outside = distance_outside(case)
    inside = case.image[0][outside < -0.5].mean() - case.image[0][outside > 0.5].mean()
    # Rician noise (40) lifts the mean of a signal A by about 40² / 2A: 2.7 at 300, 1 at 800.
    assert inside == pytest.approx(500 - 2.7 + 1.0, abs=2.0)


def test_radii_taper_within_their_limits():
    case = vessels((32, 32, 32), seed=1, radius=(0.9, 2.5))
    radii = np.array(case.meta["capsules"])[:, 6]
    assert radii.min() >= 0.9 and radii.max() <= 2.5
    assert radii.max() > 1.8 and radii.min() < 1.2


def test_forks_obey_murray():
    # Where one capsule ends and two others begin: r³ of the parent is the sum over its daughters.
    case = vessels((64, 64, 64), seed=2, radius=(0.2, 3.0))
    rows = np.array(case.meta["capsules"])
    found = 0
    for parent in rows:
        daughters = rows[np.linalg.norm(rows[:, :3] - parent[3:6], axis=1) < 1e-9]
        if len(daughters) == 2 and daughters[:, 6].min() > 0.25:
            first = daughters[:, 6] / 0.992  # the first capsule has already tapered once
            assert (first**3).sum() == pytest.approx(parent[6] ** 3, rel=1e-6)
            found += 1
    assert found > 5


def test_plane_trees_stay_in_their_plane():
    case = vessels((40, 40), seed=3, affine=OBLIQUE)
    rows = np.array(case.meta["capsules"])
    normal = np.cross(OBLIQUE[:3, 0], OBLIQUE[:3, 1])
    for ends in (rows[:, :3], rows[:, 3:6]):
        assert np.abs((ends - OBLIQUE[:3, 3]) @ normal).max() < 1e-6


def test_no_trees_is_an_empty_mask():
    case = vessels((12, 12, 12), seed=0, trees=0)
    assert not case.label.any() and case.meta["capsules"] == []


@pytest.mark.parametrize("radius", [(0.0, 1.0), (2.0, 1.0), (1.0, float("inf"))])
def test_impossible_radii_are_refused(radius):
    with pytest.raises(InputError, match="radius"):
        vessels((12, 12), seed=0, radius=radius)
