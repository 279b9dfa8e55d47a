"""Patients of the torso phantom who differ from a healthy one: contrast agent, organs taken out, organs not to be seen."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from voxplain.errors import InputError
from voxplain.phantom import ORGAN_CLASSES, organs

torso = partial(organs, (32, 24, 24), spacing=11.0, center=(0.0, 0.0, -45.0), scale=1.0)
clean = partial(torso, partial_volume=0, noise=0, texture=0)
TAKEN = ("heart", "bowel", "liver", "stomach", "gallbladder", "spleen", "kidney left", "kidney right")


def voxels(case, name: str) -> np.ndarray:
    return case.label == ORGAN_CLASSES.index(name)


def test_without_changes_the_phantom_is_what_it_was():
    """Counted before there were any options; a voxel on a border may fall to either side on another processor."""
    case = organs((24, 20, 22), seed=3)
    former = [5463, 2591, 1136, 93, 60, 252, 255, 76, 38, 20, 237, 5, 21, 38, 20, 20, 235]
    assert np.abs(np.bincount(case.label.ravel(), minlength=17) - former).max() <= 1
    assert case.image[0, 12, 10, :3] == pytest.approx([-115.77304, -109.02311, -98.15773], abs=0.01)
    assert np.array_equal(
        case.image, organs((24, 20, 22), seed=3, hounsfield={}, removed=[], isodense=[]).image
    )


@pytest.mark.parametrize("name", TAKEN)
def test_a_removed_organ_is_gone_and_nothing_else_changes(name):
    whole, without = torso(seed=1), torso(seed=1, removed=[name])
    gone = voxels(whole, name)
    assert gone.any() and not voxels(without, name).any()
    assert np.array_equal(whole.label[~gone], without.label[~gone])
    # The point spread (half a voxel) carries what changed at most two voxels far: scipy cuts it at four sigma.
    near = binary_dilation(gone, np.ones((3, 3, 3)), iterations=2)
    assert np.array_equal(whole.image[0][~near], without.image[0][~near])
    assert not np.array_equal(whole.image, without.image)
    assert name not in without.meta["shapes"] and without.meta["volumes_mm3"][name] == 0
    assert without.meta["parameters"]["removed"] == [name]


@pytest.mark.parametrize("name", TAKEN)
def test_an_isodense_organ_is_in_the_label_and_not_in_the_image(name):
    whole, hidden, without = (
        torso(seed=2, **options) for options in ({}, {"isodense": [name]}, {"removed": [name]})
    )
    assert np.array_equal(hidden.label, whole.label) and voxels(hidden, name).any()
    assert np.array_equal(hidden.image, without.image)
    assert hidden.meta["shapes"] == whole.meta["shapes"]
    assert hidden.meta["volumes_mm3"] == whole.meta["volumes_mm3"]
    assert set(whole.meta["hounsfield"]) - set(hidden.meta["hounsfield"]) == {name}


def test_an_isodense_organ_has_the_values_of_what_lies_behind():
    """A left kidney lies in fat and in front of bowel, so the image has just their values there."""
    case = clean(seed=0, isodense=["kidney left"], hounsfield={"body": -100.0, "bowel": 41.0})
    assert set(np.unique(case.image[0][voxels(case, "kidney left")])) <= {-100.0, 41.0}


def test_contrast_agent_is_in_its_organ_alone():
    usual, drunk = clean(seed=4), clean(seed=4, hounsfield={"stomach": 250.0})
    inside = voxels(usual, "stomach")
    assert inside.any() and np.array_equal(usual.label, drunk.label)
    assert (drunk.image[0][inside] == 250.0).all() and (usual.image[0][inside] == 35.0).all()
    assert np.array_equal(usual.image[0][~inside], drunk.image[0][~inside])
    assert drunk.meta["hounsfield"] == {**usual.meta["hounsfield"], "stomach": 250.0}


def test_contrast_agent_adds_to_texture_and_noise_and_leaves_them_alone():
    usual, drunk = (
        torso(seed=4, partial_volume=0, hounsfield=h) for h in ({}, {"stomach": 250.0, "aorta": 190.0})
    )
    expected = np.where(voxels(usual, "stomach"), 250.0 - 35.0, 0.0)
    assert np.allclose(drunk.image[0] - usual.image[0], expected, atol=1e-3)  # float32 near 1000 HU


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hounsfield": {"stomack": 1.0}}, r"hounsfield: 'stomack' is unknown; did you mean 'stomach'\?"),
        ({"hounsfield": {"liver": np.nan}}, "hounsfield: nan of 'liver' is not usable; a finite number"),
        ({"hounsfield": {"liver": 1.0}, "isodense": ["liver"]}, "hounsfield: 'liver' is isodense"),
        ({"removed": ["spine"]}, "removed: 'spine' cannot be; did you mean"),
        ({"isodense": ["body"]}, "isodense: 'body' cannot be"),
        ({"removed": "liver"}, r"removed: found the text 'liver'; a list of organs such as \['liver'\]"),
        ({"removed": ["liver"], "isodense": ["liver"]}, "isodense: 'liver' is removed as well"),
    ],
)
def test_what_cannot_be_is_told(options, message):
    with pytest.raises(InputError, match=message):
        torso(seed=0, **options)
