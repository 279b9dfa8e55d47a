"""The torso: labels are the ellipsoids, intensities the stated HU, sides the patient's."""

from __future__ import annotations

import numpy as np
import pytest

from voxplain.phantom import ORGAN_CLASSES, organs

# Organs that no other organ overlaps.
FREE = ("spleen", "kidney left", "kidney right", "gallbladder")


def middle(case, name: str) -> np.ndarray:
    """Centre of a label in RAS mm."""
    index = np.argwhere(case.label == ORGAN_CLASSES.index(name)).mean(axis=0)
    return case.geometry.affine[:3, :3] @ index + case.geometry.affine[:3, 3]


@pytest.mark.parametrize("seed", range(3))
def test_label_volumes_are_the_ellipsoids(seed):
    case = organs((96, 72, 96), seed=seed, irregularity=0)
    for name in FREE:
        (shape,) = case.meta["shapes"][name]
        analytic = 4 / 3 * np.pi * np.prod(shape["axes_mm"])
        assert shape["volume_mm3"] == pytest.approx(analytic)
        # Counting voxel centres in a smooth body of some 400 to 4000 voxels errs by a few per cent.
        assert case.meta["volumes_mm3"][name] == pytest.approx(analytic, rel=0.05)


def test_stated_volumes_count_the_label():
    case = organs((24, 20, 22), seed=0, spacing=(17.0, 16.0, 20.0))
    for index, name in enumerate(ORGAN_CLASSES):
        assert case.meta["volumes_mm3"][name] == pytest.approx((case.label == index).sum() * 17 * 16 * 20)


def test_centres_are_where_the_meta_says():
    case = organs((64, 64, 64), seed=1, irregularity=0, orientation="LIA", spacing=5.0, scale=0.7)
    for name in FREE:
        assert middle(case, name) == pytest.approx(case.meta["shapes"][name][0]["center_mm"], abs=2.5)


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "LIA"])
def test_organs_lie_on_the_patients_sides(orientation):
    case = organs((40, 40, 40), seed=2, orientation=orientation)
    x = {name: middle(case, name)[0] for name in ORGAN_CLASSES if name != "background"}
    assert x["liver"] > 20 and x["kidney right"] > 20 and x["lung right"] > 20 and x["vena cava"] > 0
    assert x["spleen"] < -20 and x["kidney left"] < -20 and x["lung left"] < -20 and x["aorta"] < 0
    assert middle(case, "spine")[1] < middle(case, "aorta")[1] < middle(case, "liver")[1]
    assert middle(case, "lung left")[2] > middle(case, "kidney left")[2]


def test_clean_intensities_are_the_stated_hounsfield_units():
    case = organs((32, 24, 32), seed=0, texture=0, partial_volume=0, noise=0)
    values = np.array([case.meta["hounsfield"][name] for name in ORGAN_CLASSES], dtype=np.float32)
    assert np.array_equal(case.image[0], values[case.label])


def test_noise_has_the_stated_size():
    quiet, noisy = (organs((32, 24, 32), seed=0, noise=n) for n in (0.0, 20.0))
    assert (noisy.image - quiet.image).std() == pytest.approx(20.0, rel=1e-3)
    assert np.array_equal(noisy.label, quiet.label)


@pytest.mark.parametrize("seed", range(4))
def test_every_organ_is_there(seed):
    present = np.unique(organs((48, 40, 48), seed=seed).label)
    assert np.array_equal(present, np.arange(len(ORGAN_CLASSES)))
