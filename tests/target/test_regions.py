"""Every kind of target is the region that numpy and scipy find on their own.

The network is the identity on a one-hot image, so that the prediction is a label map that the test drew.
"""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import nn

from voxplain.case import Case, Geometry
from voxplain.engine import Problem
from voxplain.errors import InputError, ModelError, TargetError
from voxplain.model import Model, Preparation, Windows
from voxplain.target import (
    AllClasses,
    Boundary,
    ClassScore,
    Component,
    FalseNegatives,
    FalsePositives,
    LabelRegion,
    Mask,
    PredictedRegion,
    Voxel,
)

NAMES = ("background", "liver", "kidney left", "spleen")
SHAPES = {2: (17, 14), 3: (10, 9, 8)}
SPACING = (0.8, 1.5, 3.0)


def drawn(shape: tuple[int, ...], seed: int = 0, classes: int = 3) -> np.ndarray:
    """A label map with blobs of the classes 0 … classes − 1, several of each."""
    rng = np.random.default_rng(seed)
    fields = [ndimage.gaussian_filter(rng.normal(size=shape), 1.2) for _ in range(classes)]
    return np.argmax(fields, axis=0)


def identity(dims: int, classes: int) -> nn.Module:
    net = (nn.Conv2d if dims == 2 else nn.Conv3d)(classes, classes, 1, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.eye(classes).reshape(net.weight.shape))
    return net


def problem(predicted: np.ndarray, targets, label=None, output=None, windows=None, **kwargs) -> Problem:
    """The classes 0 … 3 of `NAMES`; class 3 is never predicted by `drawn`."""
    dims = predicted.ndim
    image = (np.arange(4).reshape(-1, *(1,) * dims) == predicted).astype(np.float32) * 2 - 1
    geometry = Geometry(np.diag([*SPACING, 1.0]), predicted.shape) if dims == 3 else None
    model = Model(
        identity(dims, 4), spatial_dims=dims, classes=NAMES, output=output, windows=windows, **kwargs
    )
    return Problem(model, Case("drawn", image, geometry, label=label), targets)


def mask_of(p: Problem, t: int = 0) -> np.ndarray:
    region = p.targets[t].region
    mask = region.crop(tuple(slice(0, s) for s in p.spatial_shape)).numpy()
    assert region.count == mask.sum()
    box = tuple(
        slice(int(np.argwhere(mask)[:, a].min()), int(np.argwhere(mask)[:, a].max()) + 1)
        for a in range(mask.ndim)
    )
    assert region.bounds == box
    return mask


dimensions = pytest.mark.parametrize("dims", [2, 3])
WINDOWS = [None, Windows(roi=6, overlap=0.5, blend="gaussian")]


@dimensions
@pytest.mark.parametrize("windows", WINDOWS, ids=["whole", "windows"])
@pytest.mark.parametrize("name", [1, "liver", "LIVER", "1"])
def test_predicted_region(dims, windows, name):
    predicted = drawn(SHAPES[dims])
    p = problem(predicted, PredictedRegion(class_name=name), windows=windows)
    assert np.array_equal(mask_of(p), predicted == 1)
    assert (p.targets[0].name, p.targets[0].class_index, p.targets[0].status) == ("liver", 1, "ok")


@dimensions
@pytest.mark.parametrize("background", [False, True])
def test_all_classes_are_those_that_are_there(dims, background):
    predicted = drawn(SHAPES[dims])
    p = problem(predicted, AllClasses(background=background))
    assert [t.class_index for t in p.targets] == ([0, 1, 2] if background else [1, 2])
    for t, target in enumerate(p.targets):
        assert np.array_equal(mask_of(p, t), predicted == target.class_index)


@dimensions
@pytest.mark.parametrize("value", [None, 1, 2, 7])
def test_label_region(dims, value):
    predicted, label = drawn(SHAPES[dims]), drawn(SHAPES[dims], 1)
    if value is not None:
        label[(0,) * dims] = 7
    p = problem(predicted, LabelRegion(class_name="liver", value=value), label=label)
    assert np.array_equal(mask_of(p), label == (1 if value is None else value))
    assert p.targets[0].class_index == 1


OVERLAPPING = [(1, 2, 4), (1, 4), (4,), (7,)]  # values that mean each class, as of tumours in tumours


@dimensions
@pytest.mark.parametrize("number", range(3))
def test_a_class_is_where_the_label_has_one_of_its_values(dims, number):
    predicted = drawn(SHAPES[dims])
    label = np.array([0, 1, 4])[drawn(SHAPES[dims], 1)]
    asked = [kind(class_name=number) for kind in (LabelRegion, FalsePositives, FalseNegatives)]
    p = problem(predicted, asked, label=label, output="sigmoid", label_values=OVERLAPPING)
    # by hand: 2 is nowhere, so that the first class is all that is not zero
    true = {0: label > 0, 1: label > 0, 2: label == 4}[number]
    # the identity of a one-hot image is positive where the class was drawn
    own = predicted == number
    for t, expected in enumerate((true, own & ~true, ~own & true)):
        assert np.array_equal(mask_of(p, t), expected)


@dimensions
def test_what_no_value_of_the_label_is_known_to_mean_is_refused(dims):
    predicted, label = drawn(SHAPES[dims]), drawn(SHAPES[dims], 1)
    for kind in (LabelRegion, FalsePositives, FalseNegatives):
        # 0 is the background and not the first of independent labels
        with pytest.raises(TargetError, match=r"independent of each other.*label_values"):
            problem(predicted, kind(class_name=0), label=label, output="sigmoid")
        named = problem(predicted, kind(class_name=0, value=2), label=label, output="sigmoid")
        own, true = predicted == 0, label == 2
        expected = {LabelRegion: true, FalsePositives: own & ~true, FalseNegatives: ~own & true}[kind]
        assert np.array_equal(mask_of(named), expected)
        label[(0,) * dims] = 9
        with pytest.raises(TargetError, match="holds 9, which is no class"):
            problem(predicted, kind(class_name=1), label=label)
        label[(0,) * dims] = 0


def test_each_class_needs_its_values():
    with pytest.raises(
        ModelError, match="label_values: found those of 1 classes, expected one entry for each of 4"
    ):
        problem(drawn(SHAPES[2]), LabelRegion(), label=drawn(SHAPES[2]), label_values=[(1,)])


def components(mask: np.ndarray) -> list[np.ndarray]:
    """Flood fill over all 8 or 26 neighbours, largest first."""
    left, found = {tuple(v) for v in np.argwhere(mask)}, []
    while left:
        part, front = set(), [left.pop()]
        while front:
            v = front.pop()
            part.add(v)
            near = {tuple(np.add(v, d) - 1) for d in np.ndindex(*(3,) * mask.ndim)}
            front += near & left
            left -= near
        out = np.zeros_like(mask)
        out[tuple(np.array(sorted(part)).T)] = True
        found.append(out)
    return sorted(found, key=lambda m: -m.sum())


@dimensions
def test_components_by_rank_and_by_voxel_use_all_neighbours(dims):
    shape = SHAPES[dims]
    predicted = np.zeros(shape, int)
    # a chain that only touches at corners (7 voxels), a block (4) and a lone voxel
    for i in range(7):
        predicted[(i,) * dims] = 1
    predicted[(slice(0, 2), -1, *(slice(-2, None),) * (dims - 2))] = 1
    predicted[(-1, 0, *(0,) * (dims - 2))] = 1
    parts = components(predicted == 1)
    assert [int(m.sum()) for m in parts] == ([7, 2, 1] if dims == 2 else [7, 4, 1])
    for rank, part in enumerate(parts, 1):
        assert np.array_equal(mask_of(problem(predicted, Component(class_name=1, rank=rank))), part)
        inside = tuple(int(i) for i in np.argwhere(part)[-1])
        by_voxel = problem(predicted, Component(class_name=1, voxel=inside))
        assert np.array_equal(mask_of(by_voxel), part)
    with pytest.raises(TargetError, match="has 3 connected components"):
        problem(predicted, Component(class_name=1, rank=4))
    with pytest.raises(TargetError, match="not inside the predicted region"):
        problem(predicted, Component(class_name=1, voxel=(0, *(shape[a] - 3 for a in range(1, dims)))))


@dimensions
def test_random_components_by_rank(dims):
    predicted = drawn(SHAPES[dims], 5)
    parts = components(predicted == 2)
    assert len(parts) > 1
    for rank, part in enumerate(parts, 1):
        found = mask_of(problem(predicted, Component(class_name="kidney left", rank=rank)))
        assert found.sum() == part.sum(), "equal sizes may come in any order"
        assert any(np.array_equal(found, other) for other in parts)


@dimensions
def test_false_positives_and_negatives(dims):
    predicted, label = drawn(SHAPES[dims]), drawn(SHAPES[dims], 1)
    p = problem(predicted, [FalsePositives(class_name=1), FalseNegatives(class_name=1)], label=label)
    assert np.array_equal(mask_of(p, 0), (predicted == 1) & (label != 1))
    assert np.array_equal(mask_of(p, 1), (predicted != 1) & (label == 1))
    perfect = problem(
        predicted, [FalsePositives(class_name=1), FalseNegatives(class_name=1)], label=predicted
    )
    assert [t.status for t in perfect.targets] == ["absent", "absent"]


def shell(mask: np.ndarray, spacing: tuple[float, ...], width: float, side: str) -> np.ndarray:
    """Voxels whose centre is within ``width`` of some centre on the other side, by all pairs."""
    width += 1e-6  # a distance of exactly the width counts
    inside, outside = np.argwhere(mask) * spacing, np.argwhere(~mask) * spacing
    distance = np.linalg.norm(inside[:, None] - outside[None], axis=-1)
    out = np.zeros_like(mask)
    if side != "outer":
        out[mask] = distance.min(1) <= width
    if side != "inner":
        out[~mask] |= distance.min(0) <= width
    return out


@dimensions
@pytest.mark.parametrize("side", ["inner", "outer", "both"])
@pytest.mark.parametrize("width", [0.8, 1.5, 2.0, 3.3])
def test_boundary_shell_in_millimetres(dims, width, side):
    predicted = drawn(SHAPES[dims], 2)
    spacing = SPACING if dims == 3 else (1.0, 1.0)
    truth = shell(predicted == 1, spacing, width, side)
    target = Boundary(class_name=1, width=width, side=side)
    p = problem(predicted, target)
    if not truth.any():  # in 2-D the nearest neighbour is 1 pixel away
        assert p.targets[0].status == "absent"
    else:
        assert np.array_equal(mask_of(p), truth)


@dimensions
@pytest.mark.parametrize("class_name", [None, "spleen"])
def test_voxel(dims, class_name):
    predicted = drawn(SHAPES[dims])
    where = (4, 5, 6)[:dims]
    p = problem(predicted, Voxel(index=where, class_name=class_name))
    assert np.argwhere(mask_of(p)).tolist() == [list(where)]
    assert p.targets[0].class_index == (3 if class_name else predicted[where])
    with pytest.raises((TargetError, InputError), match="outside"):
        problem(predicted, Voxel(index=(99, 0, 0)[:dims]))


@dimensions
def test_user_mask_by_array_and_by_path(dims, tmp_path):
    predicted = drawn(SHAPES[dims])
    mask = np.random.default_rng(3).random(SHAPES[dims]) > 0.7
    assert np.array_equal(mask_of(problem(predicted, Mask(class_name=1, mask=mask.astype(np.uint8)))), mask)
    if dims == 3:
        path = tmp_path / "mask.nii.gz"
        nib.save(nib.Nifti1Image(mask.astype(np.uint8), np.diag([*SPACING, 1.0])), path)
    else:
        path = tmp_path / "mask.npy"
        np.save(path, mask.astype(np.uint8))
    assert np.array_equal(mask_of(problem(predicted, f"mask:liver:{path}")), mask)
    assert np.array_equal(mask_of(problem(predicted, Mask(class_name=1, mask=str(path)))), mask)


@dimensions
def test_masks_that_cannot_be_are_refused(dims, tmp_path):
    predicted = drawn(SHAPES[dims])
    np.save(tmp_path / "empty.npy", np.zeros(SHAPES[dims], np.uint8))
    for mask, words in (
        (np.zeros(SHAPES[dims]), "is empty"),
        (np.ones((2,) * dims), "shape"),
        (None, "no mask"),
        (str(tmp_path / "empty.npy"), "empty.npy is empty"),
        (str(tmp_path / "no.npy"), "no.npy"),
    ):
        with pytest.raises(InputError, match=words):
            problem(predicted, Mask(class_name=1, mask=mask))


def test_targets_follow_the_anatomy_through_the_preparation():
    """A mask, a label and a voxel of the case, on a prepared grid with other axes."""
    predicted, label = drawn(SHAPES[3]), drawn(SHAPES[3], 1)
    mask = label == 2
    p = problem(
        predicted,
        [Mask(class_name=1, mask=mask), LabelRegion(class_name=1), Voxel(index=(1, 2, 3))],
        label=label,
        prepare=Preparation(orientation="LIA"),
    )
    voxel = np.zeros_like(mask)
    voxel[1, 2, 3] = True
    for t, truth in enumerate([mask, label == 1, voxel]):
        back = p.prepared.restore(torch.from_numpy(mask_of(p, t)).float()[None], mode="nearest")[0]
        assert np.array_equal(back > 0.5, truth)


def test_a_classifier_is_asked_for_classes_and_a_segmenter_for_regions():
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 4))
    case = Case("flat", np.ones((1, 8, 8), np.float32))
    model = Model(net, spatial_dims=2, classes=NAMES, channels_in=1)
    p = Problem(model, case, "all")
    assert [t.name for t in p.targets] == ["background", "liver", "kidney-left", "spleen"]
    best = int(net(torch.ones(1, 1, 8, 8)).argmax())
    assert Problem(model, case, "predicted").targets[0].class_index == best
    for target in (PredictedRegion(class_name=1), Voxel(index=(0, 0)), Boundary(class_name=1)):
        with pytest.raises(TargetError, match="this is a classification network"):
            Problem(model, case, target)
    with pytest.raises(TargetError, match="this is a segmentation network"):
        problem(drawn(SHAPES[2]), ClassScore())
