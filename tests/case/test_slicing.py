"""One slice of a volume stays where it lies."""

from __future__ import annotations

import numpy as np
import pytest

from voxplain.case import Case, Geometry, parse_slice, take_slice
from voxplain.errors import InputError

OBLIQUE = np.array(
    [[0.9, -0.3, 0.1, -20.0], [0.4, 1.1, 0.0, 7.0], [0.0, 0.2, 2.5, 3.0], [0.0, 0.0, 0.0, 1.0]]
)


def volume() -> Case:
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, 4, 5, 6))
    return Case("scan", image, Geometry(OBLIQUE, (4, 5, 6)), label=rng.integers(0, 3, (4, 5, 6)))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_has_the_voxels_and_the_place_of_the_volume(axis):
    whole = volume()
    one = take_slice(whole, axis, 3)
    np.testing.assert_array_equal(one.image[0].squeeze(axis), np.take(whole.image[0], 3, axis))
    np.testing.assert_array_equal(one.label.squeeze(axis), np.take(whole.label, 3, axis))
    # the mm position of voxel (1, 1, 1) of the volume, with the slice's index on its own axis
    index = np.array([1.0, 1.0, 1.0, 1.0])
    inside = index.copy()
    index[axis], inside[axis] = 3, 0
    np.testing.assert_allclose(one.geometry.affine @ inside, OBLIQUE @ index, atol=1e-12)


@pytest.mark.parametrize(("axis", "index"), [(3, 0), (2, 6), (0, -1)])
def test_no_such_slice_is_an_error(axis, index):
    with pytest.raises(InputError, match="expected axis 0 to 2"):
        take_slice(volume(), axis, index)


def test_a_picture_has_no_slices():
    with pytest.raises(InputError, match="2-D already"):
        take_slice(Case("p", np.zeros((3, 4, 5))), 0, 0)


def test_the_text_of_a_slice():
    assert parse_slice("k=40") == (2, 40)
    with pytest.raises(InputError, match="k=40"):
        parse_slice("axial=40")
