"""Warps and Jacobians on the case's own grid, where the preparation turned, flipped and resampled the image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from simulator_fields import rough

from voxplain.case import Case, Geometry, read_case, take_slice, write_case
from voxplain.counterfactual import CounterfactualPath
from voxplain.model import Preparation
from voxplain.simulator.field import exponential, jacobian
from voxplain.simulator.running.case_files import write_files
from voxplain.simulator.running.home import Home

SHAPE = (18, 16, 14)


def affine(signs, spacing, turn=(0, 0, 0), swap=(0, 1, 2)):
    out = np.eye(4)
    matrix = np.diag(np.array(signs, float) * spacing)[:, list(swap)]
    out[:3, :3] = Rotation.from_euler("xyz", turn, degrees=True).as_matrix() @ matrix
    out[:3, 3] = (-20, 35, 11)
    return out


GRIDS = {
    "LPS": affine((-1, -1, 1), (1, 1, 1)),
    "RAS, anisotropic": affine((1, 1, 1), (0.9, 1.2, 2.4)),
    "LPS, anisotropic and oblique": affine((-1, -1, 1), (0.9, 1.2, 2.4), (20, -15, 30)),
    "axes swapped, oblique": affine((-1, 1, -1), (1.1, 1.3, 0.9), (-10, 15, 5), (2, 0, 1)),
}
STEPS = {
    "as it is": Preparation(),
    "turned": Preparation(orientation="RAS"),
    "turned and resampled": Preparation(orientation="LIA", spacing=1.5),
}


def image(grid):
    values = rough(3, edge=20, amplitude=100.0, seed=9)[0, 0, : SHAPE[0], : SHAPE[1], : SHAPE[2]]
    return Case("scan", values.float().numpy()[None], Geometry(grid, SHAPE))


def path_of(ready, velocity):
    """A counterfactual path whose maps are those of a velocity field on the prepared grid."""
    pull, push = exponential(-velocity), exponential(velocity)
    determinant = jacobian(push)
    frames = ready.image[None].expand(6, -1, -1, -1, -1)
    maps = {
        "warp": pull[0], "motion": push[0], "jacobian": determinant[0, 0], "log_jacobian": determinant[0, 0].log(),
        "difference": torch.zeros_like(ready.image),
    }  # fmt: skip
    doses = torch.tensor([0, 0.25, 0.5, 0.75, 1.0, 1.25])
    return CounterfactualPath(frames, doses, doses, 1.0, 1.0, True, True, maps, {})


def smooth(shape):
    """(1, 3, *shape) a velocity of about a voxel."""
    return rough(3, edge=max(shape), amplitude=1.0)[
        (slice(None), slice(None), *(slice(n) for n in shape))
    ].float()


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("grid", GRIDS)
def test_simpleitk_warps_the_file_to_the_file_after(tmp_path, grid, steps):
    sitk = pytest.importorskip("SimpleITK")
    case = image(GRIDS[grid])
    ready = STEPS[steps](case)
    write_case(tmp_path / "scan.nii.gz", case)
    out = tmp_path / "out"
    out.mkdir()
    write_files(out, path_of(ready, smooth(ready.shape)), Home(ready), ("after", "warp", "jacobian"))

    read = sitk.ReadImage(str(tmp_path / "scan.nii.gz"), sitk.sitkFloat64)
    vectors = sitk.Cast(sitk.ReadImage(str(out / "warp_itk.nii.gz")), sitk.sitkVectorFloat64)
    itk = sitk.GetArrayFromImage(vectors).transpose(3, 2, 1, 0)  # the transform takes the image away
    moved = sitk.Resample(read, read, sitk.DisplacementFieldTransform(vectors), sitk.sitkLinear, np.nan)
    theirs = sitk.GetArrayFromImage(moved).transpose(2, 1, 0)
    ours = read_case(out / "after.nii.gz")
    assert ours.geometry.matches(case.geometry)
    inside = np.isfinite(theirs)
    assert inside.mean() > 0.6
    assert np.abs(ours.image[0] - case.image[0])[inside].max() > 10
    assert np.abs(ours.image[0] - theirs)[inside].max() < 0.1
    # the same vectors as channels towards R, A and S, where ITK's run to L, P and S
    told = read_case(out / "warp.nii.gz").image
    assert np.allclose(told, itk * np.reshape([-1, -1, 1], (3, 1, 1, 1)), atol=1e-4)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("grid", GRIDS)
def test_millimetres_stay_millimetres(grid, steps):
    # 3 mm to the left, 1 to the back and 2 up, everywhere: in the prepared grid's voxels, and back home
    case = image(GRIDS[grid])
    ready = STEPS[steps](case)
    shift = np.array([-3.0, -1.0, 2.0])
    voxels = np.linalg.solve(ready.geometry.affine[:3, :3], shift)
    field = torch.from_numpy(voxels).float().reshape(3, 1, 1, 1).expand(3, *ready.shape)
    home = Home(ready)
    found = home.millimetres(home.field(field))
    inner = found[:, 3:-3, 3:-3, 3:-3]
    assert np.allclose(inner, shift.reshape(3, 1, 1, 1), atol=1e-4)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_tenth_more_is_a_tenth_more_on_every_grid(grid):
    case = image(GRIDS[grid])
    ready = Preparation(orientation="LIA", spacing=1.5)(case)
    axes = torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in ready.shape), indexing="ij")
    growing = 0.1 / 3 * torch.stack(axes)[None]  # volumes grow by exp(0.1)
    log = jacobian(exponential(growing)).log()[0]
    found = Home(ready).map(log)[0]
    assert np.allclose(found[5:-5, 5:-5, 5:-5], 0.1, atol=2e-3)


def test_a_slice_of_a_volume_keeps_its_place_and_moves_within_its_plane():
    case = take_slice(image(GRIDS["LPS, anisotropic and oblique"]), 1, 8)
    ready = Preparation(dims=2)(case)
    home = Home(ready)
    assert home.flat == 1
    field = home.field(torch.ones(2, *ready.shape))
    assert field.shape == (3, SHAPE[0], 1, SHAPE[2])
    assert np.allclose(field[:, 4, 0, 4], (1, 0, 1), atol=1e-6)
    moved = home.warped(field)
    assert np.allclose(moved[0, :-1, 0, :-1], case.image[0, 1:, 0, 1:], atol=1e-3)
