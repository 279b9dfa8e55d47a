"""Divisions of an image into regions."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from networks import random_case, smooth_segmenter

from voxplain.aggregate.partition import Partition, from_labels
from voxplain.aggregate.tables import region_table
from voxplain.case import Case, take_slice
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.model import Model
from voxplain.study.settings.region_config import RegionSettings, RegionSource
from voxplain.study.working.regions import _divided, _own, dice
from voxplain.target import AllClasses


def four() -> Partition:
    labels = torch.tensor([[0, 1], [2, 3]], dtype=torch.int32)
    return Partition("p", labels, ("bg", "left", "right", "both"), (1.0, 1.0))


def test_a_group_does_not_take_in_a_region_that_has_its_name_already() -> None:
    with pytest.raises(InputError, match="'both' is a region of its own; list it among its members"):
        four().merged({"both": ("left", "right")})
    merged = four().merged({"both": ("left", "both")})
    assert merged.regions == ("bg", "both", "right")
    assert merged.labels.tolist() == [[0, 1], [2, 1]]


def test_a_case_that_lacks_a_member_has_the_group_of_the_others() -> None:
    settings = RegionSettings(merge={"sides": ("left", "right", "middle"), "none": ("spleen",)})
    merged = four().merged(_own(settings, four()))
    assert merged.regions == ("bg", "sides", "both")


def asked(case: Case, output: str, **known: Any) -> Problem:
    net = smooth_segmenter(2, classes=2)
    model = Model(net, spatial_dims=2, output=output, classes=["core", "edema"], **known)
    return Problem(model, case, AllClasses(background=True))


def divided(problem: Problem, file: str | None = None) -> Partition:
    cases = [SimpleNamespace(label=file)]
    held = SimpleNamespace(plan=SimpleNamespace(settings=SimpleNamespace(cases=cases), case_ids=["random"]))
    return _divided(held, SimpleNamespace(case=0), problem, RegionSource(source="label"))


def labelled(shape: tuple[int, ...] = (6, 8)) -> Case:
    label = np.zeros(shape, dtype=np.int32)
    label[1:3], label[4:] = 1, 2
    return random_case(shape, label=label)


def test_a_label_does_not_name_classes_that_are_independent_of_each_other() -> None:
    """Its 0 is nothing and no class, and one voxel may belong to both."""
    problem = asked(labelled(), "sigmoid")
    assert dice(problem) == {}
    assert divided(problem).regions == ("outside", "1", "2")


def test_dice_of_independent_classes_needs_their_values() -> None:
    """By hand: the first class is 1 or 2, the second 2 alone; neither is background."""
    case = labelled()
    problem = asked(case, "sigmoid", label_values=[(1, 2), (2,)])
    expected = {}
    for index, (name, true) in enumerate({"core": case.label > 0, "edema": case.label == 2}.items()):
        found = problem.prediction.positive[index].numpy()
        expected[name] = 2 * (found & true).sum() / (found.sum() + true.sum())
    assert all(0 < value < 1 for value in expected.values())
    assert dice(problem) == expected


def test_a_label_names_classes_that_exclude_each_other() -> None:
    """By hand: Dice of class 1 is twice the common voxels over the voxels of both."""
    case = labelled()
    case.label[case.label == 2] = 0
    problem = asked(case, "softmax")
    found, true = problem.prediction.labels.numpy() == 1, case.label == 1
    assert 0 < found.sum() < found.size
    assert dice(problem) == {"edema": 2 * (found & true).sum() / (found.sum() + true.sum())}
    assert divided(problem).regions == ("core", "edema")


def test_a_case_that_is_a_slice_has_the_label_of_that_slice() -> None:
    volume = labelled((6, 8, 5))
    problem = asked(take_slice(volume, 2, 3), "softmax")
    labels = divided(problem, "of-the-whole-volume.nii.gz").labels
    np.testing.assert_array_equal(labels.numpy(), volume.label[..., 3])


def test_a_mask_without_anything_in_it_loses_nobody() -> None:
    problem = asked(random_case((6, 8)), "softmax")
    with pytest.warns(
        UserWarning, match="regions lesions: found no label above 0, so that all of random is 'outside'"
    ):
        empty = from_labels(problem, np.zeros((6, 8), dtype=int), name="lesions")
    assert empty.regions == ("outside",)
    mass = [r["value"] for r in region_table(problem, [empty], "gradient").rows() if r["statistic"] == "mass"]
    assert mass == pytest.approx([1.0] * len(problem.present))


def test_labels_of_nothing_are_told_also_where_they_have_names() -> None:
    """A ground truth has the classes' names, and an empty one is worth a word."""
    problem = asked(random_case((6, 8)), "softmax")
    with pytest.warns(UserWarning, match="found no label above 0, so that all of random is 'background'"):
        made = from_labels(problem, np.zeros((6, 8), dtype=int), regions={0: "background", 1: "lesion"})
    assert made.regions == ("background", "lesion") and made.counts.tolist() == [48, 0]
