"""Explanations of real networks on real scans have the properties that their mathematics and the anatomy demand."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from pairs import FUNDUS, brain_mask, centre, crop, cube, head, labels, meshnet, retina, turned
from scipy import ndimage

from voxplain.attribution import method
from voxplain.case import read_case, to_axes_of
from voxplain.engine import Problem
from voxplain.errors import TargetError
from voxplain.model import Windows
from voxplain.target import Boundary, Mask, PredictedRegion, Voxel

pytestmark = [pytest.mark.real]

HIPPOCAMPUS = (-25.0, -7.0, 8.0)  # RAS mm in this head, from a segmentation of the whole of it
DEEP = ["Hippocampus", "Thalamus", "Putamen", "Lateral-Ventricle", "Brain-Stem"]


@pytest.fixture(scope="module")
def deep(data):
    """Five structures in a cube that is centred on none of them, explained by gradients."""
    case = cube(head(data), (-18.0, -4.0, 16.0), 80)
    problem = Problem(meshnet(data, "meshnet18"), case, DEEP)
    return problem, method("gradient").attribute(problem)


def structure(problem: Problem, name: str) -> np.ndarray:
    return labels(problem) == problem.model.class_index(name)


def energy(found, name: str | int) -> np.ndarray:
    """Squared map, summed over channels, on the case's grid."""
    return (found.map(name).astype(float) ** 2).sum(0)


def distance(mask: np.ndarray, case) -> np.ndarray:
    """Distance to a structure in mm."""
    return ndimage.distance_transform_edt(~mask, sampling=case.geometry.spacing)


@pytest.mark.slow
def test_each_structures_map_is_centred_on_that_structure_among_all(deep):
    """Five maps, five structures: every map's centre of energy has its own structure as the nearest one."""
    problem, found = deep
    centres = np.array([centre(structure(problem, name), problem.case) for name in DEEP])
    for k, name in enumerate(DEEP):
        apart = np.linalg.norm(centres - centre(energy(found, name), problem.case), axis=1)
        assert apart.argmin() == k, (name, dict(zip(DEEP, apart.round(1).tolist(), strict=True)))
        assert apart[k] < 10


@pytest.mark.slow
@pytest.mark.parametrize("name", DEEP)
def test_energy_is_concentrated_about_the_structure(deep, name):
    """Mean distance to the structure, weighted by energy, against that of a map that is the same everywhere."""
    problem, found = deep
    away = distance(structure(problem, name), problem.case)
    weights = energy(found, name)
    assert (weights * away).sum() / weights.sum() < 0.5 * away.mean()
    assert away.flat[np.abs(found.map(name)).argmax()] < 10


@pytest.mark.slow
def test_grad_cam_is_strongest_in_its_own_structure(deep):
    problem, _ = deep
    found = method("grad_cam").attribute(problem)
    inside = np.array([[found.map(a)[0][structure(problem, b)].mean() for b in DEEP] for a in DEEP])
    outside = [found.map(a)[0][~structure(problem, a)].mean() for a in DEEP]
    for k, name in enumerate(DEEP):
        assert found.answers[k].status == "ok"
        assert inside[k, k] > 1.5 * outside[k], name
    # the map of a structure is weaker in the other structures; one pair may share its features
    assert (inside.argmax(1) == np.arange(len(DEEP))).sum() >= len(DEEP) - 1


def elongated(data, axis: int):
    """A thin column of the head through the left hippocampus, longer than twice a MeshNet's reach."""
    low, high = np.array(HIPPOCAMPUS) - 14, np.array(HIPPOCAMPUS) + 14
    low[axis], high[axis] = (-68, -80, -48)[axis], (64, 80, 88)[axis]
    case = crop(head(data), tuple(low), tuple(high))
    middle = tuple(n // 2 for n in case.spatial_shape)
    return case, middle


@pytest.mark.parametrize(("name", "reach"), [("meshnet18", 46), ("meshnet104", 45)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_gradient_is_zero_beyond_the_receptive_field_and_reaches_its_end(data, name, reach, axis):
    spec = json.loads((data / f"models/meshnet/{name}.json").read_text())
    assert sum(spec["dilations"]) == reach  # 3×3×3 kernels: each layer sees its dilation further
    case, voxel = elongated(data, axis)
    class_name = "Hippocampus" if name == "meshnet18" else "Left-Hippocampus"
    problem = Problem(meshnet(data, name), case, Voxel(index=voxel, class_name=class_name))
    found = method("gradient").attribute(problem)
    offset = np.argwhere(found.values(0)[0].numpy()) - problem.prepared.voxel(voxel)
    long = int(np.argmax(problem.spatial_shape))
    assert problem.spatial_shape[long] > 2 * reach + 10
    assert offset[:, long].min() == -reach
    assert offset[:, long].max() == reach
    restored = np.argwhere(found.map(0)[0])
    away = np.abs(case.geometry.to_mm(restored) - case.geometry.to_mm(voxel)).max()
    assert reach - 2 < away <= reach + 1.75


def test_hiding_a_cube_out_of_sight_changes_nothing_at_all(data):
    case, voxel = elongated(data, 0)
    hidden = np.zeros(case.spatial_shape, np.int32)
    far, near = slice(0, 8), slice(voxel[0] + 5, voxel[0] + 12)
    assert (voxel[0] - far.stop) * 1.75 > 47
    hidden[far], hidden[near] = 1, 2
    target = Voxel(index=voxel, class_name="Hippocampus")
    found = method("occlusion", regions=hidden).attribute(Problem(meshnet(data, "meshnet18"), case, target))
    assert found.region_values[0, 0] == 0
    assert abs(found.region_values[0, 1]) > 1e-2
    assert (found.map(0)[0][hidden == 1] == 0).all()


def test_occlusion_runs_only_the_windows_that_a_cube_touches(data):
    case, _ = elongated(data, 0)
    model = meshnet(data, "meshnet18", Windows(roi=(44, -1, -1), overlap=0.0))
    target = PredictedRegion(class_name="Unknown")
    hidden = np.zeros(case.spatial_shape, np.int32)
    hidden[:10], hidden[-10:] = 1, 2
    problem = Problem(model, case, target)
    found = method("occlusion", regions=hidden).attribute(problem)
    windows = len(problem.layout)
    assert windows >= 3
    assert (
        found.passes.forward == windows + 2
    )  # each window once as it is, each cube in the window that holds it
    assert (found.region_values.abs() > 0).all()


def test_occlusion_of_all_classes_costs_one_class_and_equals_each(data):
    case = cube(head(data), HIPPOCAMPUS, 28)
    model = meshnet(data, "meshnet18")
    mask = np.ones(case.spatial_shape)
    names = ["Hippocampus", "Amygdala", "Cerebral-White-Matter", "Putamen"]
    targets = [Mask(class_name=name, mask=mask) for name in names]
    occlusion = method("occlusion", size=14)
    together = occlusion.attribute(Problem(model, case, targets))
    for k, target in enumerate(targets[:2]):
        alone = occlusion.attribute(Problem(model, case, target))
        assert alone.passes.forward == together.passes.forward
        torch.testing.assert_close(alone.region_values[0], together.region_values[k], rtol=1e-4, atol=1e-5)
    assert torch.pdist(together.region_values).min() > 1e-2  # and the classes' answers differ


def bare_score(problem: Problem, image: torch.Tensor, class_index: int) -> float:
    """The mean logit of one class over a whole image by the network alone."""
    with torch.no_grad():
        return float(problem.model.module(image[None])[0, class_index].double().mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "class_name", "value", "gap"),
    [
        ("meshnet18", "Hippocampus", 0.0, 5e-3),  # ELU: smooth; 1e-4 at 32 nodes
        ("meshnet104", "Left-Hippocampus", 0.35, 1e-2),  # ReLU; from 0 it takes 64 nodes to reach 2e-3
    ],
)
def test_integrated_gradients_sum_to_the_scores_difference(data, name, class_name, value, gap):
    case = cube(head(data), HIPPOCAMPUS, 36)
    model = meshnet(data, name)
    problem = Problem(model, case, Mask(class_name=class_name, mask=np.ones(case.spatial_shape)))
    found = method("integrated_gradients", nodes=16, baseline=value).attribute(problem)
    k = model.class_index(class_name)
    image = problem.image
    difference = bare_score(problem, image, k) - bare_score(problem, torch.full_like(image, value), k)
    total = float(found.values(0).double().sum())
    assert abs(difference) > 0.01
    missed = abs(total - difference) / abs(difference)
    assert missed < gap
    assert found.answers[0].checks["completeness_gap"] == pytest.approx(missed, abs=1e-4)


@pytest.mark.slow
def test_integrated_gradients_are_complete_over_windows(data):
    case = crop(head(data), (-62.0, -20.0, -6.0), (0.0, 14.0, 26.0))
    model = meshnet(data, "meshnet18", Windows(roi=32, overlap=0.25, blend="gaussian"))
    problem = Problem(model, case, Mask(class_name="Putamen", mask=np.ones(case.spatial_shape)))
    assert len(problem.layout) >= 3
    found = method("integrated_gradients", nodes=12, baseline="blur").attribute(problem)
    assert found.answers[0].checks["completeness_gap"] < 5e-3


@pytest.mark.parametrize("axes", ["RAS", "LPI", "SRA"])
@pytest.mark.parametrize("name", ["gradient", "grad_cam"])
def test_maps_do_not_depend_on_how_the_file_stores_the_scan(data, name, axes, tmp_path):
    case = cube(head(data), HIPPOCAMPUS, 40)
    other = turned(case, axes, tmp_path / "turned.nii.gz")
    assert other.geometry.orientation == axes
    target = Mask(class_name="Hippocampus", mask=np.ones(case.spatial_shape))
    there = Mask(class_name="Hippocampus", mask=np.ones(other.spatial_shape))
    model = meshnet(data, "meshnet18")
    truth = method(name).attribute(Problem(model, case, target)).map(0)
    found = method(name).attribute(Problem(model, other, there)).map(0)
    assert found.shape[1:] == other.spatial_shape
    back, grid = to_axes_of(found, other.geometry, case.geometry)
    assert grid.matches(case.geometry)
    np.testing.assert_allclose(back, truth, rtol=1e-4, atol=1e-5 * np.abs(truth).max())


def test_absent_structure_is_said_to_be_absent(data):
    case = cube(head(data), (-25.0, 0.0, 60.0), 32)  # white matter and cortex, far above the brain stem
    problem = Problem(meshnet(data, "meshnet18"), case, ["Brain-Stem", "Unknown"])
    found = method("gradient").attribute(problem)
    assert [a.status for a in found.answers] == ["absent", "ok"]
    assert np.isnan(found.answers[0].score)
    assert "Brain-Stem" in found.answers[0].note
    with pytest.raises(TargetError, match="absent"):
        found.map("Brain-Stem")


@pytest.mark.slow
def test_left_and_right_hippocampus_of_meshnet104_are_explained_on_their_own_side(data):
    case = crop(head(data), (-48.0, -34.0, -18.0), (44.0, 22.0, 34.0))
    sides = ["Left-Hippocampus", "Right-Hippocampus"]
    problem = Problem(meshnet(data, "meshnet104"), case, sides)
    found = method("gradient").attribute(problem)
    left, right = (centre(energy(found, side), case) for side in sides)
    assert left[0] < -8 < 4 < right[0]
    for side, at in zip(sides, (left, right), strict=True):
        assert np.linalg.norm(at - centre(structure(problem, side), case)) < 12


@pytest.fixture(scope="module")
def masked(data):
    """The brain mask's border and one voxel on it, explained by gradients."""
    case = head(data)
    model = brain_mask(data)
    border = (67, 66, 90)
    targets = [Boundary(class_name="brain", width=4.0), Voxel(index=border, class_name="brain")]
    problem = Problem(model, case, targets)
    return problem, method("gradient").attribute(problem)


@pytest.mark.slow
def test_brain_border_is_explained_by_the_border(masked):
    problem, found = masked
    brain = labels(problem) > 0
    away = np.where(brain, distance(~brain, problem.case), distance(brain, problem.case))
    weights = energy(found, 0)
    assert (weights * away).sum() / weights.sum() < 10 < 0.4 * away.mean()
    assert found.map(0).shape[1:] == problem.case.spatial_shape


@pytest.mark.slow
def test_brain_mask_gradient_is_autograds(masked):
    problem, found = masked
    x = problem.image[None].clone().requires_grad_()
    where = problem.prepared.voxel((67, 66, 90))
    (truth,) = torch.autograd.grad(problem.model.module(x)[(0, 0, *where)], x)
    torch.testing.assert_close(found.values(1), truth[0], rtol=1e-3, atol=1e-5 * float(truth.abs().max()))


@pytest.mark.slow
def test_brain_mask_grad_cam_lies_in_the_brain(data):
    case = head(data)
    problem = Problem(brain_mask(data), case, "brain")
    cam = method("grad_cam").attribute(problem).map(0)[0]
    brain = labels(problem) > 0
    assert cam[brain].mean() > 2 * cam[~brain].mean()


@pytest.fixture(scope="module")
def fundus(data):
    case = read_case(data / FUNDUS)
    return Problem(retina(data), case, "vessel")


@pytest.fixture(scope="module")
def vessel_gradient(fundus):
    return method("gradient").attribute(fundus)


def test_vessels_are_read_from_the_green_channel(vessel_gradient):
    """Blood absorbs green light most: ophthalmologists and networks look for vessels there."""
    red, green, blue = (vessel_gradient.map(0).astype(float) ** 2).sum((1, 2))
    assert green > 2 * max(red, blue)


def test_vessel_gradient_lies_on_and_beside_the_vessels(fundus, vessel_gradient):
    found = vessel_gradient
    vessels = labels(fundus) > 0
    assert found.map(0).shape == (3, *vessels.shape)
    near = ndimage.distance_transform_edt(~vessels) <= 6  # two pixels of the network's grid
    share = energy(found, 0)[near].sum() / energy(found, 0).sum()
    assert near.mean() < 0.3
    assert share > 2 * near.mean()
    outside = fundus.case.image.max(0) < 10  # beyond the camera's window
    assert energy(found, 0)[outside].mean() < 0.1 * energy(found, 0).mean()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("baseline", "nodes", "complete"),
    [
        ("blur", 8, True),
        (0.0, 2, False),  # from black, two nodes miss most of the path of this network: it must be said
    ],
)
def test_vessel_integrated_gradients_are_complete_or_say_that_they_are_not(fundus, baseline, nodes, complete):
    found = method("integrated_gradients", nodes=nodes, baseline=baseline).attribute(fundus)
    gap = found.answers[0].checks["completeness_gap"]
    assert (gap < 0.03) == complete
    assert ("misses" in found.answers[0].note) != complete
