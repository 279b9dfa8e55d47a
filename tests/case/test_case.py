"""Case: what an image and a label may be."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from voxplain.case import Case, Geometry
from voxplain.errors import GeometryError, InputError


def test_image_becomes_float32_and_label_int32():
    case = Case("a", np.arange(24).reshape(1, 2, 3, 4), label=np.ones((2, 3, 4), bool))
    assert case.image.dtype == np.float32
    assert case.label is not None
    assert case.label.dtype == np.int32
    assert (case.channels, case.spatial_shape, case.spatial_dims) == (1, (2, 3, 4), 3)


@pytest.mark.parametrize("shape", [(4, 4), (1, 2, 3, 4, 5), (0, 4, 4), (1, 4, 0)])
def test_images_without_channels_and_two_or_three_axes_are_refused(shape):
    with pytest.raises(InputError, match="2 or 3 spatial axes"):
        Case("a", np.zeros(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nonfinite_values_are_counted_and_located(bad):
    image = np.zeros((1, 3, 4, 5))
    image[0, 1, 2, 3] = image[0, 2, 3, 4] = bad
    with pytest.raises(InputError, match=r"2 of 60 values .* index \(0, 1, 2, 3\); fill_nan=0"):
        Case("a", image)


def test_values_beyond_float32_are_refused_not_made_infinite():
    with pytest.raises(InputError, match="beyond float32"):
        Case("a", np.full((1, 2, 2), 1e300))


def test_complex_images_are_refused():
    with pytest.raises(InputError, match="complex"):
        Case("a", np.zeros((1, 2, 2), complex))


def test_labels_that_are_not_whole_numbers_are_named():
    label = np.array([[0, 0.5], [1, 2.25]])
    with pytest.raises(InputError, match=r"2 of 4 values are not \(0.5, 2.25"):
        Case("a", np.zeros((1, 2, 2)), label=label)


def test_labels_close_to_whole_numbers_are_rounded():
    # 16-bit storage of labels up to 104 with a slope: steps of 104/65535 = 0.0016, off by up to half of that.
    label = np.array([[0.0008, 103.9992], [17.0007, 1]])
    case = Case("a", np.zeros((1, 2, 2)), label=label)
    np.testing.assert_array_equal(case.label, [[0, 104], [17, 1]])


def test_nan_in_a_label_is_an_error():
    with pytest.raises(InputError, match="whole numbers"):
        Case("a", np.zeros((1, 2, 2)), label=np.array([[np.nan, 0], [0, 0]]))


def test_label_and_geometry_must_have_the_images_grid():
    with pytest.raises(GeometryError, match=r"label's shape is \(3, 2\)"):
        Case("a", np.zeros((1, 2, 3)), label=np.zeros((3, 2), int))
    with pytest.raises(GeometryError, match=r"geometry's \(3, 2\)"):
        Case("a", np.zeros((1, 2, 3)), Geometry(np.eye(4), (3, 2)))


def test_importing_the_room_loads_no_heavy_library():
    heavy = ("torch", "monai", "nibabel", "pydicom", "PIL", "tifffile", "scipy", "matplotlib")
    code = f"import sys, voxplain.case; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
