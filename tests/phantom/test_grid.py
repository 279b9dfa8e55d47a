"""The same seed is the same anatomy, whatever grid it is sampled on."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from voxplain.case import Case, to_canonical
from voxplain.errors import GeometryError, InputError
from voxplain.phantom import brain, organs, vessels

CLEAN = {
    "vessels": {"noise": 0, "bias": 0},
    "organs": {"noise": 0},
    "brain": {"noise": 0, "bias": 0},
}
PHANTOMS = {"vessels": vessels, "organs": organs, "brain": brain}
every_phantom = pytest.mark.parametrize("name", PHANTOMS)


def make(name: str, shape: tuple[int, ...] = (16, 16, 16), **changes: object) -> Case:
    return PHANTOMS[name](shape, **{"seed": 3, **changes})


@every_phantom
@pytest.mark.parametrize("shape", [(17, 12), (14, 10, 12)])
def test_same_seed_is_bit_equal_and_another_differs(name, shape):
    first, again, other = make(name, shape), make(name, shape), make(name, shape, seed=4)
    assert np.array_equal(first.image, again.image) and np.array_equal(first.label, again.label)
    assert first.meta == again.meta
    assert not np.array_equal(first.image, other.image)
    assert not np.array_equal(first.label, other.label)


@every_phantom
def test_the_global_generator_is_left_alone(name):
    np.random.seed(0)  # noqa: NPY002
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    make(name)
    assert np.array_equal(state, np.random.get_state()[1])  # noqa: NPY002


@every_phantom
@pytest.mark.parametrize("shape", [(17, 12), (14, 10, 12)])
def test_case_is_whole(name, shape):
    case = make(name, shape)
    assert case.image.dtype == np.float32 and case.image.shape == (1, *shape)
    assert case.label.dtype == np.int32 and case.label.shape == shape
    assert case.label.min() >= 0 and case.label.max() < len(case.meta["classes"])
    assert np.isfinite(case.image).all()


@every_phantom
def test_meta_is_json(name):
    import json

    case = make(name)
    assert json.loads(json.dumps(dict(case.meta))) == dict(case.meta)


@pytest.mark.parametrize("name", ["organs", "brain"])
@pytest.mark.parametrize("orientation", ["LIA", "LPS", "SAR"])
def test_turned_grid_shows_the_same_anatomy(name, orientation):
    # Without noise a cubic grid in another orientation holds the same numbers, permuted and flipped.
    straight = make(name, **CLEAN[name])
    turned = make(name, **CLEAN[name], orientation=orientation)
    assert turned.geometry.orientation == orientation
    label, geometry = to_canonical(turned.label, turned.geometry)
    assert geometry.matches(straight.geometry)
    # Rounding may decide a voxel that lies on a border.
    assert np.mean(label != straight.label) < 1e-3
    image, _ = to_canonical(turned.image, turned.geometry)
    assert np.median(np.abs(image - straight.image)) < 1e-2


@every_phantom
def test_affine_is_kept_to_the_bit(name):
    rotation = np.array([[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag([-2.0, 3.0, 4.5])
    affine[:3, 3] = 17.25, -33.5, 8.125
    case = make(name, affine=affine)
    assert np.array_equal(case.geometry.affine, affine)
    assert case.geometry.is_oblique
    assert len(np.unique(case.label)) > 1


@pytest.mark.parametrize("name", ["organs", "brain"])
def test_moving_the_scanner_does_not_change_the_picture(name):
    affine = np.diag([10.0, 10.0, 10.0, 1.0])
    moved = affine.copy()
    moved[:3, 3] = 1000, -500, 30
    assert np.array_equal(make(name, affine=affine).image, make(name, affine=moved).image)


@pytest.mark.parametrize("name", ["organs", "brain"])
def test_plane_is_a_slice_of_the_volume(name):
    # With an odd third axis, the middle slice of the volume is the plane through its centre.
    volume = make(name, (20, 22, 5), spacing=9.0, scale=1.0, **CLEAN[name], partial_volume=0, texture=0)
    plane = make(name, (20, 22), spacing=9.0, scale=1.0, **CLEAN[name], partial_volume=0, texture=0)
    assert np.array_equal(plane.label, volume.label[:, :, 2])
    assert np.array_equal(plane.image, volume.image[..., 2])


@every_phantom
def test_spacing_is_kept(name):
    assert np.allclose(make(name, spacing=(2.0, 3.0, 4.0)).geometry.spacing, (2.0, 3.0, 4.0))
    assert np.allclose(make(name, (20, 20), spacing=(2.0, 3.0)).geometry.spacing, (2.0, 3.0))


@pytest.mark.parametrize("name", ["organs", "brain"])
def test_anatomy_fits_the_grid_unless_told(name):
    # Nothing but background on the first and last planes of the two in-plane axes.
    label = make(name, (40, 40, 40), spacing=1.0).label
    for axis, end in itertools.product((0, 1), (0, -1)):
        assert not np.take(label, end, axis).any()
    assert make(name, (20, 20, 20), spacing=1.0, scale=1.0).label.all()  # 20 mm of life-size inside


@every_phantom
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"shape": (4,)}, "shape"),
        ({"shape": (4, 0, 4)}, "shape"),
        ({"shape": (4, 4.5)}, "shape"),
        ({"spacing": -1.0}, "spacing"),
        ({"spacing": (1.0, 2.0)}, "spacing"),
        ({"orientation": "RAR"}, "orientation"),
        ({"affine": np.eye(4), "spacing": 2.0}, "affine"),
        ({"noise": -1.0}, "noise"),
        ({"texture": float("nan")}, "texture"),
    ],
)
def test_impossible_requests_are_refused(name, wrong, says):
    with pytest.raises(InputError, match=says) as caught:
        make(name, **wrong)
    assert "\n" not in str(caught.value)


@every_phantom
def test_singular_affine_is_refused(name):
    with pytest.raises(GeometryError):
        make(name, affine=np.diag([1.0, 1.0, 0.0, 1.0]))
