"""Geometry: where voxels lie, and which affines are refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from voxplain.case import Geometry, to_axes_of, to_canonical
from voxplain.errors import GeometryError


def affine_of(orientation: str, spacing=(1.0, 2.0, 3.0), origin=(-7.0, 11.0, 5.0)) -> np.ndarray:
    """Written out: each voxel axis runs along its letter's RAS axis, in its letter's direction."""
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, letter in enumerate(orientation):
        world = next(i for i, pair in enumerate(("RL", "AP", "SI")) if letter in pair)
        affine[world, axis] = spacing[axis] * (1 if letter in "RAS" else -1)
    affine[:3, 3] = origin
    return affine


def turned(degrees: float) -> np.ndarray:
    """Rotation about the third axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


ALL_ORIENTATIONS = [
    "".join(letters)
    for pairs in itertools.permutations(("RL", "AP", "SI"))
    for letters in itertools.product(*pairs)
]


@pytest.mark.parametrize("orientation", ALL_ORIENTATIONS)
def test_all_48_orientations_are_named_with_their_spacing(orientation):
    grid = Geometry(affine_of(orientation), (4, 5, 6))
    assert grid.orientation == orientation
    assert grid.spacing == (1.0, 2.0, 3.0)
    assert not grid.is_oblique
    assert not grid.is_sheared
    assert grid.voxel_volume == pytest.approx(6.0)


@pytest.mark.parametrize("orientation", ALL_ORIENTATIONS)
def test_canonical_keeps_each_voxel_at_its_place(orientation):
    # Every voxel's value is its own RAS position: after reordering, the new affine must still predict the value.
    grid = Geometry(affine_of(orientation), (3, 4, 5))
    voxels = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    places = np.moveaxis(voxels @ grid.affine[:3, :3].T + grid.affine[:3, 3], -1, 0)
    moved, canonical = to_canonical(places, grid)
    assert canonical.orientation == "RAS"
    again = np.stack(np.meshgrid(*map(np.arange, canonical.shape), indexing="ij"), axis=-1)
    predicted = np.moveaxis(again @ canonical.affine[:3, :3].T + canonical.affine[:3, 3], -1, 0)
    np.testing.assert_allclose(moved, predicted, atol=1e-12)


@pytest.mark.parametrize(("first", "second"), [("LPS", "RAS"), ("LIA", "PSR"), ("SAL", "LAS")])
def test_axes_of_another_grid_are_taken_without_moving_a_voxel(first, second):
    grid, other = Geometry(affine_of(first), (3, 4, 5)), Geometry(affine_of(second), (9, 9, 9))
    index = np.array([1, 3, 2])
    array = np.zeros(grid.shape)
    array[tuple(index)] = 1
    moved, moved_grid = to_axes_of(array, grid, other)
    assert moved_grid.orientation == second
    np.testing.assert_allclose(moved_grid.to_mm(np.argwhere(moved)[0]), grid.to_mm(index))


def test_two_axes_of_a_slice_are_ordered_among_themselves():
    # A coronal slice: first axis runs to the feet, second to the left; canonical is right, then up.
    affine = affine_of("ILA")
    image = np.arange(6.0).reshape(2, 3)
    moved, grid = to_canonical(image, Geometry(affine, (2, 3)))
    assert grid.orientation == "RS"
    np.testing.assert_array_equal(moved, image.T[::-1, ::-1])
    np.testing.assert_allclose(grid.to_mm([0, 0]), Geometry(affine, (2, 3)).to_mm([1, 2]))


def test_voxels_and_millimetres_invert_each_other():
    grid = Geometry(turned(20) @ affine_of("LPS"), (4, 5, 6))
    voxels = np.array([[0, 0, 0], [3, 4, 5], [1.5, 0.25, 2]])
    np.testing.assert_allclose(grid.to_voxels(grid.to_mm(voxels)), voxels, atol=1e-12)
    np.testing.assert_allclose(grid.to_mm([1, 2, 3]), (grid.affine @ [1, 2, 3, 1])[:3])


def test_rotation_is_oblique_and_shear_is_sheared():
    rotated = Geometry(turned(10) @ affine_of("RAS"), (4, 5, 6))
    assert (rotated.is_oblique, rotated.is_sheared) == (True, False)
    shear = affine_of("RAS")
    shear[1, 2] = 0.5  # a gantry tilt: the third axis leans by atan(0.5 / 3)
    sheared = Geometry(shear, (4, 5, 6))
    assert (sheared.is_oblique, sheared.is_sheared) == (True, True)
    assert not Geometry(shear, (4, 5)).is_sheared  # within a slice the axes are at right angles


def test_a_header_rounded_to_six_decimals_is_not_oblique():
    rounded = affine_of("RAS") + 1e-6
    rounded[3] = 0, 0, 0, 1
    assert not Geometry(rounded, (4, 5, 6)).is_oblique


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a * np.nan, "finite"),
        (lambda a: a @ np.diag([1, 0, 1, 1]), "singular"),
        (lambda a: a[:, [0, 0, 2, 3]], "singular"),  # two axes are the same
        # The third axis leaves the plane of the others by 1e-8 of its length: rounding, not a direction.
        (
            lambda a: np.block([[np.array([[1, 0, 1], [0, 1, 1], [0, 0, 1e-8]]), a[:3, 3:]], [a[3:]]]),
            "singular",
        ),
        (lambda a: a + np.eye(4)[3][:, None], "0 0 0 1"),
        (lambda a: a[:3], "(4, 4)"),
        (lambda a: "identity", "array of numbers"),
    ],
)
def test_impossible_affines_are_refused(change, words):
    with pytest.raises(GeometryError) as error:
        Geometry(change(affine_of("RAS")), (4, 5, 6))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_tiny_voxels_are_not_singular():
    # 10 µm voxels: the determinant is 1e-6 mm³, the axes are at right angles all the same.
    assert Geometry(np.diag([0.01, 0.01, 0.01, 1]), (4, 5, 6)).spacing == (0.01, 0.01, 0.01)


@pytest.mark.parametrize("shape", [(4,), (4, 5, 6, 7), (4, 0, 6)])
def test_shapes_that_are_no_grid_are_refused(shape):
    with pytest.raises(GeometryError, match="2 or 3 axes"):
        Geometry(np.eye(4), shape)


def test_matching_is_measured_at_the_corners_in_millimetres():
    # A turn of 0.001 degrees moves the far corner of 200 voxels of 1 mm by 200·√2·1.7e-5 = 0.005 mm.
    grid, other = Geometry(np.eye(4), (201, 201, 5)), Geometry(turned(0.001), (201, 201, 5))
    expected = 200 * np.sqrt(2) * 2 * np.sin(np.radians(0.001) / 2)
    assert grid.apart_mm(other) == pytest.approx(expected, rel=1e-6)
    assert grid.matches(other, tolerance_mm=0.006)
    assert not grid.matches(other, tolerance_mm=0.004)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Geometry(affine_of("RAS"), (4, 5, 7)), "shapes are (4, 5, 6) and (4, 5, 7)"),
        (Geometry(affine_of("LAS"), (4, 5, 6)), "orientations are RAS and LAS"),
        (Geometry(affine_of("RAS", (1, 2, 4)), (4, 5, 6)), "spacings are (1, 2, 3) mm and (1, 2, 4) mm"),
        (Geometry(affine_of("RAS", origin=(-7, 11, 6)), (4, 5, 6)), "1 mm apart"),
        (Geometry(turned(5) @ affine_of("RAS"), (4, 5, 6)), "different directions"),
    ],
)
def test_difference_says_what_differs(other, words):
    grid = Geometry(affine_of("RAS"), (4, 5, 6))
    assert words in grid.difference(other)
    assert not grid.matches(other)


def test_a_single_slice_is_compared_in_its_direction_too():
    assert not Geometry(np.eye(4), (4, 5, 1)).matches(Geometry(np.diag([1, 1, -1, 1]), (4, 5, 1)))


def test_the_affine_cannot_be_changed_afterwards():
    source = np.eye(4)
    grid = Geometry(source, (4, 5, 6))
    source[0, 0] = 5
    assert grid.affine[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 5
    assert grid == Geometry(np.eye(4), (4, 5, 6))
    assert len({grid, Geometry(np.eye(4), (4, 5, 6))}) == 1
