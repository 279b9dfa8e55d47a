"""Prescribed changes of volume: achieved, local, and with a map that agrees with them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates, zoom

from voxplain.case import Case, Geometry
from voxplain.errors import InputError
from voxplain.phantom import prescribed_atrophy
from voxplain.simulator.field import folded_percentage, jacobian

SPACING = (1.0, 1.2, 1.5)
DATA = Path(os.environ.get("VOXPLAIN_DATA", Path(__file__).parent.parent.parent.parent / "shared/data"))


def two_balls(shape=(44, 36, 28), spacing=SPACING):
    axes = [s * (np.arange(n) - (n - 1) / 2) for n, s in zip(shape, spacing, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"))
    label = np.zeros(shape, np.int32)
    for value, x in ((1, -9), (2, 10)):
        label[
            np.linalg.norm(grid - np.reshape([x, *[0] * (len(shape) - 1)], (-1,) + (1,) * len(shape)), axis=0)
            < 7
        ] = value
    rng = np.random.default_rng(0)
    image = zoom(rng.normal(size=tuple(n // 4 for n in shape)), 4, order=3) + label
    affine = np.eye(4)
    affine[range(len(shape)), range(len(shape))] = spacing
    return Case("balls", image[None], Geometry(affine, shape), label)


@pytest.mark.parametrize("changes", [{1: -0.3, 2: 0.4}, {2: -0.15}])
@pytest.mark.parametrize("dims", [2, 3])
def test_volumes_are_those_asked_for(dims, changes):
    case = two_balls((44, 36, 28)[:dims], SPACING[:dims])
    found = prescribed_atrophy(case, changes)
    determinant = jacobian(torch.from_numpy(found.displacement)[None].double())
    assert folded_percentage(determinant).item() == 0
    origin = np.stack(np.meshgrid(*[np.arange(n) for n in case.spatial_shape], indexing="ij"))
    # backwards along the displacement, to measure what became of each region without counting whole voxels
    back = -found.displacement.astype(np.float64)
    for _ in range(40):
        back = -np.stack(
            [map_coordinates(d, origin + back, order=1, mode="nearest") for d in found.displacement]
        )
    for value, change in changes.items():
        assert found.achieved[value] == pytest.approx(change, abs=0.01)
        region = (case.label == value).astype(float)
        moved = map_coordinates(region, origin + back, order=1)
        assert moved.sum() / region.sum() == pytest.approx(1 + change, abs=0.04)
    others = [v for v in (1, 2) if v not in changes]
    for value in others:
        assert np.exp(found.log_jacobian[case.label == value]).mean() == pytest.approx(1, abs=0.06)


def test_the_log_jacobian_is_the_displacements():
    case = two_balls()
    found = prescribed_atrophy(case, {1: -0.3, 2: 0.4}, smooth=2.5)
    numeric = np.log(jacobian(torch.from_numpy(found.displacement)[None].double())[0, 0].numpy())
    assert np.abs(numeric - found.log_jacobian).mean() < 0.004
    assert np.corrcoef(numeric.ravel(), found.log_jacobian.ravel())[0, 1] > 0.995


def test_the_border_stays_and_nothing_turns():
    found = prescribed_atrophy(two_balls(), {1: -0.3})
    for axis in range(3):
        for side in (0, -1):
            assert np.abs(np.take(found.displacement[axis], side, axis)).max() < 0.05


def test_the_image_moves_with_its_label():
    case = two_balls()
    found = prescribed_atrophy(case, {1: -0.4, 2: 0.6})
    assert found.case.meta["prescribed"] == {"1": -0.4, "2": 0.6}
    for value in (1, 2):
        assert ((found.case.label == value).sum() < (case.label == value).sum()) == (value == 1)
    assert found.case.geometry == case.geometry
    assert not np.array_equal(found.case.image, case.image)


@pytest.mark.long
@pytest.mark.real
def test_a_real_label_map_gets_smaller_hippocampi_and_larger_ventricles():
    import nibabel as nib

    stored = nib.load(DATA / "labelmaps/synthseg_training_seg_01.nii.gz")
    whole = np.asarray(stored.dataobj)[::4, ::4, ::4].astype(np.int32)
    affine = stored.affine @ np.diag([4, 4, 4, 1.0])
    case = Case("head", whole[None].astype(np.float32), Geometry(affine, whole.shape), whole)
    changes = {17: -0.25, 53: -0.25, 4: 0.3, 43: 0.3}  # FreeSurfer: hippocampi and lateral ventricles
    found = prescribed_atrophy(case, changes, smooth=3.0)
    assert found.achieved == pytest.approx(changes, abs=0.02)
    assert np.exp(found.log_jacobian).min() > 0


def test_what_cannot_be_is_told():
    case = two_balls((16, 12), (1.0, 1.0))
    with pytest.raises(InputError, match="no voxel of case 'balls' has label 7; present: "):
        prescribed_atrophy(case, {7: 0.1})
    with pytest.raises(InputError, match=r"changes: -1 of label 1 is not usable"):
        prescribed_atrophy(case, {1: -1})
    with pytest.raises(InputError, match="has no label"):
        prescribed_atrophy(Case("bare", case.image, case.geometry), {1: 0.1})
    with pytest.raises(InputError, match="the labels fill the image"):
        prescribed_atrophy(Case("full", case.image, case.geometry, np.ones((16, 12), int)), {1: 0.1})
