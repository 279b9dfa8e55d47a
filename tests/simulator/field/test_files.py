"""Displacement fields on disk: SimpleITK reads them and warps images to the same result."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from simulator_fields import rough

from voxplain.case import Case, Geometry, read_case, write_array, write_case
from voxplain.errors import GeometryError, InputError, StorageError
from voxplain.simulator.field import exponential, jacobian, read_displacement, warp, write_displacement

SHAPE = (20, 17, 14)


def affine(signs, spacing=(1.0, 1.0, 1.0), turn=(0, 0, 0), swap=None):
    """Voxel to RAS mm: axes of these signs and lengths, swapped, then turned; off the origin."""
    matrix = np.diag(np.array(signs, float) * spacing)
    if swap is not None:
        matrix = matrix[:, swap]
    out = np.eye(4)
    out[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() @ matrix
    out[:3, 3] = (-31, 12, 55)
    return out


GRIDS = {
    "RAS": affine((1, 1, 1)),
    "LPS": affine((-1, -1, 1)),
    "LAS, anisotropic": affine((-1, 1, 1), (0.8, 1.3, 2.5)),
    "RAS, anisotropic and turned": affine((1, 1, 1), (0.8, 1.3, 2.5), (20, -35, 50)),
    "LPS, turned": affine((-1, -1, 1), (1.0, 1.0, 3.0), (-10, 25, 5)),
    "LIA, axes swapped": affine((-1, 1, -1), (1.0, 1.2, 0.9), swap=[0, 2, 1]),
}


def field(shape):
    """A smooth displacement (D, *S) of about a voxel."""
    cut = (0, slice(None), *(slice(n) for n in shape))
    return exponential(rough(len(shape), edge=max(shape), amplitude=1.0))[cut].float()


def smooth_image(shape):
    """(*S) a picture without the noise that interpolation would turn into errors."""
    return (
        rough(3, edge=20, amplitude=100.0, seed=9)[(0, 0, *(slice(n) for n in (*shape, 1)[:3]))]
        .float()
        .numpy()
    )


@pytest.mark.parametrize("name", GRIDS)
def test_simpleitk_warps_to_the_same_image(tmp_path, name):
    sitk = pytest.importorskip("SimpleITK")
    grid = Geometry(GRIDS[name], SHAPE)
    image, moves = smooth_image(SHAPE), field(SHAPE)
    write_case(tmp_path / "image.nii.gz", Case("image", image[None], grid))
    write_displacement(tmp_path / "warp.nii.gz", moves.numpy(), grid)

    read = sitk.ReadImage(str(tmp_path / "image.nii.gz"), sitk.sitkFloat64)
    vectors = sitk.Cast(sitk.ReadImage(str(tmp_path / "warp.nii.gz")), sitk.sitkVectorFloat64)
    assert vectors.GetDimension() == 3
    assert vectors.GetNumberOfComponentsPerPixel() == 3
    moved = sitk.Resample(read, read, sitk.DisplacementFieldTransform(vectors), sitk.sitkLinear, np.nan)
    theirs = sitk.GetArrayFromImage(moved).transpose(2, 1, 0)

    ours = warp(torch.from_numpy(image)[None, None], moves[None])[0, 0].numpy()
    inside = np.isfinite(theirs)  # it looks nothing up beyond the border
    assert inside.mean() > 0.7
    assert np.abs(ours - image)[inside].max() > 20
    assert np.abs(ours - theirs)[inside].max() < 0.05


@pytest.mark.parametrize("shape", [(20, 17), (12, 15)])
def test_a_slice_warps_alike_as_a_volume_of_one(tmp_path, shape):
    sitk = pytest.importorskip("SimpleITK")
    grid = Geometry(GRIDS["RAS, anisotropic and turned"], shape)
    image, moves = smooth_image(shape)[..., 0], field(shape)
    write_case(tmp_path / "image.nii.gz", Case("image", image[None], grid))
    write_displacement(tmp_path / "warp.nii.gz", moves.numpy(), grid)
    read = sitk.ReadImage(str(tmp_path / "image.nii.gz"), sitk.sitkFloat64)
    vectors = sitk.JoinSeries(
        sitk.Cast(sitk.ReadImage(str(tmp_path / "warp.nii.gz")), sitk.sitkVectorFloat64)
    )
    vectors.CopyInformation(read)
    moved = sitk.Resample(read, read, sitk.DisplacementFieldTransform(vectors), sitk.sitkLinear, np.nan)
    theirs = sitk.GetArrayFromImage(moved).transpose(2, 1, 0)[..., 0]
    ours = warp(torch.from_numpy(image)[None, None], moves[None])[0, 0].numpy()
    inside = np.isfinite(theirs)
    assert inside.mean() > 0.7
    assert np.abs(ours - theirs)[inside].max() < 0.05
    back, found = read_displacement(tmp_path / "warp.nii.gz")
    assert found.matches(grid)
    assert np.abs(back - moves.numpy()).max() < 1e-4


@pytest.mark.parametrize("name", GRIDS)
def test_what_is_written_is_read(tmp_path, name):
    grid, moves = Geometry(GRIDS[name], SHAPE), field(SHAPE).numpy()
    write_displacement(tmp_path / "warp.nii", moves, grid)
    back, found = read_displacement(tmp_path / "warp.nii")
    assert found.matches(grid)
    assert np.abs(back - moves).max() < 1e-4


def test_a_field_that_simpleitk_has_written_is_read(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    vectors = np.zeros((*SHAPE[::-1], 3))
    vectors[..., 0], vectors[..., 2] = 2.0, -3.0  # 2 mm to the left, 3 mm down
    image = sitk.GetImageFromArray(vectors, isVector=True)
    image.SetSpacing((0.5, 1.0, 1.5))
    sitk.WriteImage(image, str(tmp_path / "theirs.nii.gz"))
    found, grid = read_displacement(tmp_path / "theirs.nii.gz")
    assert grid.orientation == "LPS"
    assert np.allclose(found[:, 5, 5, 5], (4.0, 0.0, -2.0))


def test_direction_and_length_by_hand(tmp_path):
    # 2 voxels along an axis of 1.5 mm that points to the left are 3 mm to the left: +3 in LPS
    moves = np.zeros((3, *SHAPE), np.float32)
    moves[0] = 2.0
    write_displacement(tmp_path / "warp.nii.gz", moves, Geometry(affine((-1, 1, 1), (1.5, 1.0, 1.0)), SHAPE))
    stored = nib.load(tmp_path / "warp.nii.gz")
    assert stored.shape == (*SHAPE, 1, 3)
    assert int(stored.header["intent_code"]) == 1007
    assert np.allclose(np.asarray(stored.dataobj)[3, 3, 3, 0], (3.0, 0.0, 0.0))


def test_a_jacobian_lies_where_the_image_lies(tmp_path):
    grid = Geometry(GRIDS["LPS, turned"], SHAPE)
    determinant = jacobian(field(SHAPE)[None])[0, 0].numpy()
    write_array(tmp_path / "jacobian.nii.gz", determinant, grid)
    back = read_case(tmp_path / "jacobian.nii.gz")
    assert back.geometry.matches(grid)
    assert np.array_equal(back.image[0], determinant)


def test_what_cannot_be_is_told(tmp_path):
    grid = Geometry(np.eye(4), SHAPE)
    with pytest.raises(
        GeometryError, match=r"found a displacement \(2, 20, 17, 14\), expected \(3, 20, 17, 14\)"
    ):
        write_displacement(tmp_path / "warp.nii.gz", np.zeros((2, *SHAPE)), grid)
    with pytest.raises(InputError, match=r"written as \.nii\.gz or \.nii"):
        write_displacement(tmp_path / "warp.mha", np.zeros((3, *SHAPE)), grid)
    with pytest.raises(InputError, match="not finite"):
        write_displacement(tmp_path / "warp.nii", np.full((3, *SHAPE), np.nan), grid)
    with pytest.raises(StorageError):
        write_displacement(tmp_path / "no/warp.nii", np.zeros((3, *SHAPE)), grid)
    write_array(tmp_path / "image.nii", np.zeros(SHAPE, np.float32), grid)
    with pytest.raises(InputError, match=r"found the shape \(20, 17, 14\) with intent 0, expected vectors"):
        read_displacement(tmp_path / "image.nii")
    with pytest.raises(InputError, match="cannot be read as NIfTI"):
        read_displacement(tmp_path / "none.nii")
