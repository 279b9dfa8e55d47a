"""Left is left: a blob placed by RAS millimetres must land where radiological convention draws it."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from nibabel.eulerangles import euler2mat

from voxplain.case import Geometry
from voxplain.errors import GeometryError, InputError
from voxplain.report import View, planes, scenes

CODES = ["RAS", "LPS", "LAS", "LIA", "PSR", "AIL", "SRP"]
SIZES_MM = (60.0, 80.0, 40.0)  # extent along R, A, S: all different, so that swapped axes cannot hide
SPACING = (2.0, 4.0, 5.0)


def geometry_of(code: str, tilt_degrees: float = 0.0) -> Geometry:
    """A grid with these axis directions, centred on RAS (0, 0, 0) and turned about R, A and S."""
    to_ras = nib.orientations.axcodes2ornt(code)
    directions, shape = np.zeros((3, 3)), []
    for axis, (ras, sign) in enumerate(to_ras):
        directions[int(ras), axis] = sign * SPACING[int(ras)]
        shape.append(int(SIZES_MM[int(ras)] / SPACING[int(ras)]))
    turn = euler2mat(*np.radians([tilt_degrees, -tilt_degrees, tilt_degrees]))
    affine = np.eye(4)
    affine[:3, :3] = turn @ directions
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Geometry(affine, tuple(shape))


def blob(geometry: Geometry, centre_mm: tuple[float, float, float]) -> np.ndarray:
    """exp(-d²/2σ²) with σ = 5 mm around a point, evaluated at every voxel's RAS position."""
    voxels = np.stack(np.meshgrid(*map(np.arange, geometry.shape), indexing="ij"), axis=-1)
    ras = voxels @ geometry.affine[:3, :3].T + geometry.affine[:3, 3]
    return np.exp(-((ras - np.array(centre_mm)) ** 2).sum(-1) / 50)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("tilt", [0.0, 12.0, 25.0])
@pytest.mark.parametrize("centre", [(18.0, 20.0, 8.0), (-18.0, 20.0, -8.0), (18.0, -20.0, -8.0)])
def test_blob_lands_in_its_radiological_quadrant(code, tilt, centre):
    geometry = geometry_of(code, tilt)
    # The blob's place in the turned grid's own near-anatomical axes; the turn moves it a little.
    view = View.of(geometry.shape, geometry)
    shown = view.display(blob(geometry, centre))
    right, anterior, superior = (value > 0 for value in euler_back(centre, tilt))
    row_low = {"axial": anterior, "coronal": superior, "sagittal": superior}
    column_low = {"axial": right, "coronal": right, "sagittal": anterior}  # left half of the picture
    for plane in view.planes():
        peak = np.unravel_index(int(shown.argmax()), shown.shape)
        picture = plane.cut(shown, int(peak[plane.axis]))
        row, column = np.unravel_index(int(picture.argmax()), picture.shape)
        name = plane.name.removeprefix("near-")
        assert (row < (picture.shape[0] - 1) / 2) == row_low[name]
        assert (column < (picture.shape[1] - 1) / 2) == column_low[name]


def euler_back(centre, tilt):
    """The point seen from the turned grid: the inverse of the turn that made it."""
    return euler2mat(*np.radians([tilt, -tilt, tilt])).T @ np.array(centre)


@pytest.mark.parametrize("code", CODES)
def test_letters_are_radiological_for_every_orientation(code):
    geometry = geometry_of(code)
    letters = {plane.name: plane.letters for plane in View.of(geometry.shape, geometry).planes()}
    assert letters == {
        "axial": ("R", "L", "A", "P"),
        "coronal": ("R", "L", "S", "I"),
        "sagittal": ("A", "P", "S", "I"),
    }


def test_oblique_edges_get_a_second_letter():
    # Turned by 30° about S: the first axis points to (cos 30°, sin 30°, 0) = (0.87 R, 0.5 A), so its high end
    # is right with some anterior. The picture's left edge is that end.
    affine = np.eye(4)
    affine[:3, :3] = euler2mat(z=np.radians(30))
    axial = View.of((4, 5, 6), Geometry(affine, (4, 5, 6))).planes()[0]
    assert axial.letters == ("Ra", "Lp", "Al", "Pr")
    assert axial.name == "near-axial"


@pytest.mark.parametrize("code", CODES)
def test_indices_and_positions_survive_the_turn(code):
    geometry = geometry_of(code, 10.0)
    view = View.of(geometry.shape, geometry)
    array = np.arange(np.prod(geometry.shape)).reshape(geometry.shape)
    turned = view.display(array)
    for voxel in [(0, 0, 0), (3, 2, 5), tuple(n - 1 for n in geometry.shape)]:
        shown = view.shown(voxel)
        assert turned[shown] == array[voxel]
        assert view.original(shown) == voxel
        expected = geometry.affine @ [*voxel, 1]
        np.testing.assert_allclose(view.position(shown), expected[:3], atol=1e-9)


def test_display_is_nibabels_closest_orientation():
    geometry = geometry_of("PSR", 10.0)
    image = nib.Nifti1Image(np.random.default_rng(0).normal(size=geometry.shape), geometry.affine)
    ras = np.asarray(nib.as_closest_canonical(image).dataobj)
    shown = View.of(geometry.shape, geometry).display(np.asarray(image.dataobj))
    np.testing.assert_array_equal(shown, ras[::-1, ::-1, ::-1])


@pytest.mark.parametrize("code", ["RAS", "LIA", "SRP"])
def test_pixels_have_their_physical_aspect(code):
    geometry = geometry_of(code)
    scene = scenes(np.ones(geometry.shape), blob(geometry, (0, 0, 0)), geometry=geometry)
    axes = planes(scene).figure.axes[:3]
    # In every panel inches per mm are the same along rows and columns: 60 x 80, 60 x 40 and 80 x 40 mm.
    width, height = axes[0].figure.get_size_inches()
    boxes = [axis.get_position() for axis in axes]
    sizes = np.array([(box.width * width, box.height * height) for box in boxes])
    per_mm = sizes / np.array([(60, 80), (60, 40), (80, 40)])
    np.testing.assert_allclose(per_mm, per_mm[0, 0], rtol=1e-9)
    # Row height over column width: A/R, S/R, S/A of the spacing 2, 4, 5 mm.
    aspects = [axis.get_aspect() for axis in axes]
    assert aspects == pytest.approx([4 / 2, 5 / 2, 5 / 4])


def test_sheared_grid_is_recognised():
    affine = np.eye(4)
    affine[0, 1] = 0.3
    assert View.of((3, 3, 3), Geometry(affine, (3, 3, 3))).sheared
    assert not View.of((3, 3, 3), turned_grid(10)).sheared


def turned_grid(tilt):
    affine = np.eye(4)
    affine[:3, :3] = euler2mat(*np.radians([tilt] * 3))
    return Geometry(affine, (3, 3, 3))


def test_slice_with_geometry_is_turned_too():
    # A sagittal slice stored with rows down (I) and columns towards P, as a DICOM reader may give it.
    affine = np.array([[0, 0, 1, -7], [0, -1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1.0]])
    view = View.of((4, 6), Geometry(affine, (4, 6)))
    array = np.arange(24).reshape(4, 6)
    (plane,) = view.planes()
    assert (plane.name, plane.letters) == ("sagittal", ("A", "P", "S", "I"))
    np.testing.assert_array_equal(plane.cut(view.display(array), 0), array)


def test_arrays_without_geometry_are_drawn_as_stored():
    view = View.of((2, 3, 4))
    array = np.arange(24).reshape(2, 3, 4)
    pictures = [plane.cut(view.display(array), 1) for plane in view.planes()]
    for picture, expected in zip(pictures, (array[:, :, 1], array[:, 1], array[1]), strict=True):
        np.testing.assert_array_equal(picture, expected)
    assert all(plane.letters is None for plane in view.planes())


def test_wrong_shapes_and_voxels_are_refused():
    with pytest.raises(GeometryError, match=r"\(30, 20, 8\).*\(3, 3, 3\)"):
        View.of((3, 3, 3), geometry_of("RAS"))
    with pytest.raises(InputError, match="2 or 3"):
        View.of((3, 3, 3, 3))
    with pytest.raises(InputError, match=r"\(2, 3, 4\)"):
        View.of((2, 3, 4)).shown((2, 0, 0))
    with pytest.raises(InputError, match="3 indices"):
        View.of((2, 3, 4)).shown((1, 0))
