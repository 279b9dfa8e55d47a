"""Voxels stay where they are in the world through preparation and back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import center_of_mass
from scipy.spatial.transform import Rotation

from voxplain.case import Case, Geometry
from voxplain.errors import GeometryError, InputError, ModelError
from voxplain.model import Preparation

OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = Rotation.from_euler("xyz", [20, -15, 30], degrees=True).as_matrix() * [1.5, 1.1, 2.2]
OBLIQUE[:3, 3] = -30, 12, 40
LIA = np.array([[-1.2, 0, 0, 50], [0, 0, 1.4, -20], [0, -0.9, 0, 33], [0, 0, 0, 1.0]])
AFFINES = {
    "anisotropic": np.diag([1.5, 1.1, 3.0, 1]),
    "LPS": np.array([[-1.3, 0, 0, 60], [0, -1.3, 0, 44], [0, 0, 2.1, -9], [0, 0, 0, 1.0]]),
    "LIA": LIA,
    "oblique": OBLIQUE,
}
SHAPE = (23, 31, 17)
STEPS = {
    "orientation": Preparation(orientation="LIA"),
    "spacing": Preparation(spacing=1.25),
    "coarser": Preparation(spacing=(2.5, 2.0, 3.5)),
    "size": Preparation(size=(32, 29, 40)),
    "smaller": Preparation(size=13),
    "all": Preparation(
        orientation="PSR", spacing=1.0, scale="minmax", crop="foreground", margin=3, divisible=8
    ),
}


def make(affine: np.ndarray, image: np.ndarray, label: np.ndarray | None = None) -> Case:
    geometry = Geometry(affine, image.shape[1:])
    return Case(id="t", image=image.astype(np.float32), geometry=geometry, label=label, meta={})


def blob(shape: tuple[int, ...], affine: np.ndarray, centre: tuple[float, ...], mm: float) -> np.ndarray:
    """A Gaussian of standard deviation ``mm`` about a voxel, isotropic in the world."""
    index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1) - np.array(centre)
    away = index @ affine[:3, : len(shape)].T
    return np.exp(-0.5 * (away**2).sum(-1) / mm**2)


def centre_mm(values: np.ndarray, geometry: Geometry) -> np.ndarray:
    return geometry.to_mm(center_of_mass(values.astype(float)))


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_a_blob_stays_at_its_millimetres(affine: np.ndarray, steps: Preparation) -> None:
    # the centre of mass of a smooth blob far from the borders does not depend on how finely it is sampled
    image = blob(SHAPE, affine, (10.3, 16.2, 8.4), 4.0)[None]
    case = make(affine, image)
    prepared = steps(case)
    voxel = max(*case.geometry.spacing, *prepared.spacing)
    there = np.where(prepared.image[0].numpy() > 0.02, prepared.image[0].numpy(), 0)
    truth = centre_mm(np.where(image[0] > 0.02, image[0], 0), case.geometry)
    assert np.abs(centre_mm(there, prepared.geometry) - truth).max() < 0.1 * voxel
    back = prepared.restore(prepared.image)[0]
    back = np.where(back > 0.02, back, 0)
    assert np.abs(centre_mm(back, case.geometry) - truth).max() < 0.1 * voxel


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_restored_coordinates_are_the_cases_own(affine: np.ndarray, steps: Preparation) -> None:
    # linear interpolation is exact for linear functions, and a voxel's own indices are linear functions of space:
    # index ramps of the prepared grid, brought back, must equal the analytic map from case voxel to prepared voxel
    image = blob(SHAPE, affine, (11, 15, 8), 6.0)[None]
    case = make(affine, image)
    prepared = steps(case)
    ramps = torch.stack(torch.meshgrid(*[torch.arange(float(n)) for n in prepared.shape], indexing="ij"))
    back = prepared.restore(ramps)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij"), -1)
    truth = np.moveaxis(prepared.geometry.to_voxels(case.geometry.to_mm(index)), -1, 0)
    limits = np.array(prepared.shape).reshape(3, 1, 1, 1) - 1
    inner = ((truth >= 0) & (truth <= limits)).all(0)
    assert inner.mean() > 0.2
    assert np.abs(back - truth)[:, inner].max() < 1e-3


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_image_coordinates_are_resampled_exactly(affine: np.ndarray) -> None:
    # the same for the forward way, which MONAI does: an image that is its own index ramp
    ramps = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij"))
    case = make(affine, ramps)
    for steps in (Preparation(spacing=1.3, orientation="ASL"), Preparation(size=(20, 41, 30))):
        prepared = steps(case)
        index = np.stack(np.meshgrid(*[np.arange(n) for n in prepared.shape], indexing="ij"), -1)
        truth = np.moveaxis(case.geometry.to_voxels(prepared.geometry.to_mm(index)), -1, 0)
        inner = ((truth >= 0) & (truth <= np.array(SHAPE).reshape(3, 1, 1, 1) - 1)).all(0)
        assert inner.mean() > 0.5
        assert np.abs(prepared.image.numpy() - truth)[:, inner].max() < 1e-3


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("codes", ["RAS", "LIA", "PSR", "SLA"])
def test_orientation_and_padding_are_undone_bit_for_bit(affine: np.ndarray, codes: str) -> None:
    image = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
    prepared = Preparation(orientation=codes, divisible=16)(make(affine, image))
    assert prepared.geometry.orientation == codes
    assert all(n % 16 == 0 for n in prepared.shape)
    np.testing.assert_array_equal(prepared.restore(prepared.image), image)


def test_what_was_cropped_away_is_zero() -> None:
    image = np.zeros((1, 20, 20, 20), np.float32)
    image[0, 5:9, 6:10, 7:15] = 1
    prepared = Preparation(crop="foreground")(make(np.eye(4), image))
    assert prepared.shape == (4, 4, 8)
    np.testing.assert_array_equal(prepared.restore(torch.full((1, 4, 4, 8), 7.0)), 7 * image)
    assert prepared.voxel((5, 6, 7)) == (0, 0, 0)
    with pytest.raises(InputError, match="cropped away"):
        prepared.voxel((4, 6, 7))
    with pytest.raises(InputError, match="outside the case"):
        prepared.voxel((20, 0, 0))


def test_crop_margin_stops_at_the_image_border() -> None:
    image = np.zeros((1, 10, 10, 10), np.float32)
    image[0, 1, 5, 9] = 1
    prepared = Preparation(crop="foreground", margin=3)(make(np.eye(4), image))
    assert prepared.shape == (5, 7, 4)  # 0..4, 2..8, 6..9


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_masks_survive_a_finer_grid(affine: np.ndarray) -> None:
    mask = (blob(SHAPE, affine, (11, 15, 8), 8.0) > 0.5).astype(np.uint8)
    prepared = Preparation(orientation="SPL", spacing=0.6)(make(affine, mask[None]))
    there = prepared.bring(mask)
    linear = (prepared.image[0] > 0.5).numpy()
    assert dice(there.numpy(), linear) > 0.95
    back = prepared.restore(there[None].float(), "nearest")[0]
    np.testing.assert_array_equal(back, mask)  # a prepared voxel is nowhere farther than half a case voxel


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_a_voxel_is_found_where_it_lies(affine: np.ndarray, steps: Preparation) -> None:
    case = make(affine, blob(SHAPE, affine, (11, 15, 8), 6.0)[None])
    prepared = steps(case)
    found = np.array(prepared.voxel((11, 15, 8)))
    at = prepared.geometry.to_voxels(case.geometry.to_mm((11, 15, 8)))
    assert np.abs(found - at).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_each_prepared_voxel_has_the_label_of_the_nearest_case_voxel(
    affine: np.ndarray, steps: Preparation
) -> None:
    label = np.random.default_rng(0).integers(1, 99, SHAPE).astype(np.int32)
    prepared = steps(make(affine, blob(SHAPE, affine, (11, 15, 8), 6.0)[None], label=label))
    index = np.stack(np.meshgrid(*[np.arange(n) for n in prepared.shape], indexing="ij"), -1)
    at = Geometry(affine, SHAPE).to_voxels(prepared.geometry.to_mm(index))
    nearest = np.floor(at + 0.5).astype(int)
    inside = ((nearest >= 0) & (nearest < SHAPE)).all(-1)
    certain = (np.abs(at - np.floor(at) - 0.5) > 1e-3).all(-1)  # not half-way between two voxels
    truth = np.where(inside, label[tuple(np.moveaxis(nearest.clip(0, np.array(SHAPE) - 1), -1, 0))], 0)
    assert certain.mean() > 0.3
    np.testing.assert_array_equal(prepared.label.numpy()[certain], truth[certain])


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float(((a > 0) & (b > 0)).sum()) / float((a > 0).sum() + (b > 0).sum())


def test_a_mask_of_another_shape_is_refused() -> None:
    prepared = Preparation()(make(np.eye(4), np.ones((1, 4, 5, 6))))
    with pytest.raises(GeometryError, match=r"\(4, 5, 7\).*\(4, 5, 6\)"):
        prepared.bring(np.zeros((4, 5, 7), int))
    with pytest.raises(GeometryError, match="expected"):
        prepared.restore(torch.zeros(1, 4, 5, 7))


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.uint16, np.int16, np.int64, ">i2", np.float64])
def test_masks_of_any_type_are_brought(dtype: object) -> None:
    mask = np.zeros((4, 5, 6), dtype)
    mask[1, 2, 3] = 1
    prepared = Preparation(orientation="LAS")(make(np.eye(4), np.ones((1, 4, 5, 6))))
    assert prepared.bring(mask).nonzero().tolist() == [[2, 2, 3]]  # 4 voxels flipped: 1 -> 2
    assert prepared.bring(mask[::1]).dtype in (torch.bool, torch.int32, torch.float32)


# 2-D


def picture(shape: tuple[int, int] = (24, 36)) -> Case:
    image = np.random.default_rng(0).random((3, *shape)).astype(np.float32)
    return Case(id="p", image=image, geometry=None, label=None, meta={})


def test_a_picture_is_resized_and_restored() -> None:
    y, x = np.mgrid[:24, :36].astype(np.float32)
    case = Case(id="p", image=np.stack([y, x]), geometry=None, label=None, meta={})
    prepared = Preparation(size=(48, 64), divisible=10)(case)
    assert prepared.shape == (50, 70)
    assert prepared.geometry is None
    assert prepared.spacing == (1.0, 1.0)
    back = prepared.restore(prepared.image)
    assert back.shape == (2, 24, 36)
    assert np.abs(back - case.image)[:, 1:-1, 1:-1].max() < 1e-3


@pytest.mark.parametrize("field", [{"spacing": 1.0}, {"orientation": "RAS"}])
def test_pictures_have_no_millimetres(field: dict) -> None:
    with pytest.raises(InputError, match="no geometry"):
        Preparation(**field)(picture())


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("affine", [AFFINES["LPS"], OBLIQUE, LIA], ids=["LPS", "oblique", "LIA"])
def test_a_one_slice_volume_fits_a_2d_network(axis: int, affine: np.ndarray) -> None:
    shape = [20, 24, 28]
    shape[axis] = 1
    image = np.random.default_rng(1).random((1, *shape)).astype(np.float32)
    prepared = Preparation(orientation="RAS", divisible=8, dims=2)(make(affine, image))
    assert prepared.image.ndim == 3
    assert len(prepared.spacing) == 2
    np.testing.assert_array_equal(prepared.restore(prepared.image), image)
    # every prepared voxel lies at the same millimetres as the case voxel that it came from
    index = [n // 2 for n in shape]
    there = prepared.voxel(index)
    np.testing.assert_allclose(
        prepared.geometry.to_mm(there), Geometry(affine, tuple(shape)).to_mm(index), atol=1e-6
    )
    assert prepared.image[0][there] == image[0][tuple(index)]


def test_a_slice_with_a_full_affine_is_resampled_in_its_plane() -> None:
    sagittal = np.array([[0, 0, 3.0, 5], [1.5, 0, 0, -7], [0, 2.0, 0, 11], [0, 0, 0, 1]])
    image = blob((20, 24), sagittal, (9.3, 12.1), 5.0)[None]
    case = Case(
        id="s", image=image.astype(np.float32), geometry=Geometry(sagittal, (20, 24)), label=None, meta={}
    )
    prepared = Preparation(spacing=1.0)(case)
    assert prepared.spacing == pytest.approx((1.0, 1.0))
    found = centre_mm(prepared.image[0].numpy(), prepared.geometry)
    np.testing.assert_allclose(found, centre_mm(image[0], case.geometry), atol=0.1)
    assert prepared.restore(prepared.image).shape == (1, 20, 24)


def test_dimensions_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError, match="takes 3-D volumes"):
        Preparation(dims=3)(picture())
    with pytest.raises(ModelError, match=r"takes 2-D images; give one slice"):
        Preparation(dims=2)(make(np.eye(4), np.ones((1, 4, 5, 6))))
