"""Absent classes, independent labels, names, and the text form of targets."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from networks import random_case, smooth_segmenter
from torch import nn

from voxplain.attribution import methods
from voxplain.case import Case
from voxplain.engine import Problem
from voxplain.errors import InputError, TargetError
from voxplain.model import Model
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
    parse_target,
)
from voxplain.target.scene import slug


def scaled(weights: list[float], **kwargs) -> Model:
    """Class k's output is weights[k] · x: positive where x and the weight have the same sign."""
    net = nn.Conv2d(1, len(weights), 1, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.tensor(weights).reshape(-1, 1, 1, 1))
    return Model(net, spatial_dims=2, **kwargs)


@pytest.fixture
def case() -> Case:
    return random_case((7, 9))


def region(p: Problem, t: int) -> np.ndarray:
    return p.targets[t].region.crop((slice(0, 7), slice(0, 9))).numpy()


def test_independent_labels_may_overlap_and_background_is_one_of_them(case):
    model = scaled([1.0, -1.0, 0.5], output="sigmoid")
    p = Problem(model, case, AllClasses())
    x = case.image[0]
    assert [t.class_index for t in p.targets] == [0, 1, 2]
    for t, truth in enumerate([x > 0, x < 0, x > 0]):
        assert np.array_equal(region(p, t), truth)


@pytest.mark.parametrize(("output", "threshold"), [("binary", 0.0), ("probabilities", 0.5)])
def test_a_single_output_speaks_for_background_and_foreground(case, output, threshold):
    p = Problem(scaled([1.0], output=output), case, AllClasses(background=True))
    x = case.image[0]
    assert [t.class_name for t in p.targets] == ["background", "foreground"]
    assert np.array_equal(region(p, 0), x <= threshold)
    assert np.array_equal(region(p, 1), x > threshold)
    scores = p.clean_scores()
    assert float(scores[1]) == pytest.approx(float(x[x > threshold].mean()), rel=1e-5)
    # a logit speaks for the background by its negative, a probability by its complement
    background = -x if output == "binary" else 1 - x
    assert float(scores[0]) == pytest.approx(float(background[x <= threshold].mean()), rel=1e-5)


@pytest.mark.parametrize("name", methods())
def test_an_absent_class_has_a_status_and_no_map(case, name):
    """Class 2 has half the output of class 0 where that is positive, and half of class 1 elsewhere: it never wins."""
    p = Problem(scaled([1.0, -1.0, 0.5]), case, [PredictedRegion(class_name=2)])
    assert p.present == []
    found = methods()[name]().attribute(p)
    answer = found.answers[0]
    assert answer.status == "absent" and np.isnan(answer.score)
    assert "no voxel of 'class 2'" in answer.note
    assert (found.passes.forward, found.passes.backward) == (0, 0)
    assert found.rows()[0]["status"] == "absent"
    for read in (found.map, found.values):
        with pytest.raises(TargetError, match="status is absent"):
            read(0)


def test_an_absent_class_does_not_keep_others_from_their_maps(case):
    p = Problem(scaled([1.0, -1.0, 0.5]), case, ["class 0", "class 2", "class 1"])
    found = methods()["gradient"]().attribute(p)
    assert [a.status for a in found.answers] == ["ok", "absent", "ok"]
    positive = torch.from_numpy(case.image[0] > 0)
    # ∂ mean(x over region)/∂x is 1/n in the region
    torch.testing.assert_close(found.values(0)[0], positive.float() / positive.sum())
    torch.testing.assert_close(found.values(2)[0], -(~positive).float() / (~positive).sum())


def test_nothing_but_background_is_said_so(case):
    with pytest.raises(TargetError, match="nothing but background"):
        Problem(scaled([1.0, -1.0]), Case("bright", np.ones((1, 7, 9), np.float32)), "all")


@pytest.mark.parametrize("target", ["label:class 1", "fp:class 1", "fn:class 1"])
def test_truth_is_asked_for_where_there_is_none(case, target):
    with pytest.raises(TargetError, match=r"ground-truth label map.*label="):
        Problem(scaled([1.0, -1.0]), case, target)


def test_sum_is_the_mean_times_the_number_of_voxels(case):
    p = Problem(scaled([1.0, -1.0]), case, [PredictedRegion(reduce="mean"), PredictedRegion(reduce="sum")])
    mean, total = p.clean_scores().tolist()
    x = case.image[0]
    assert mean == pytest.approx(float(-x[x < 0].mean()), rel=1e-5)
    assert total == pytest.approx(float(-x[x < 0].sum()), rel=1e-5)


def test_names_are_unique_and_safe_as_files_on_every_system(case):
    model = scaled([1.0, -1.0, 2.0], classes=["Liver/left", "liver left", "lívér: *?"])
    p = Problem(model, case, [Voxel(index=(0, 0), class_name=c) for c in (0, 1, 2, 0, 0)])
    names = [t.name.casefold() for t in p.targets]
    assert len(set(names)) == 5
    assert all(re.fullmatch(r"[\w.+-]+", n) and not set(n) & set('/\\:*?"<>| ') for n in names)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a/b", "a-b"),
        ("..", "target"),
        ("", "target"),
        ("Ventricle 3rd", "Ventricle-3rd"),
        ("x+y_z", "x+y_z"),
        ("*", "target"),
        ("-rf", "rf"),
    ],
)
def test_slug(name, safe):
    assert slug(name) == safe


def test_numbered_names_do_not_meet_names_that_end_in_a_number(case):
    """Asked for two masks of x, and for x-2, in any order, the second x must not take the other's name."""
    model = scaled([1.0, -1.0], classes=["x", "mask-X-2"])
    for order in ((0, 0, 1), (1, 0, 0), (0, 1, 0)):
        asked = [
            PredictedRegion(class_name=1) if c else Mask(class_name=0, mask=np.ones(case.spatial_shape))
            for c in order
        ]
        targets = Problem(model, case, asked).targets
        assert len({t.name.casefold() for t in targets}) == 3
        assert [t.name for t in targets if t.class_index == 1] == ["mask-X-2"]


GRAMMAR = [
    ("all", AllClasses()),
    ("all+background", AllClasses(background=True)),
    ("Hippocampus", PredictedRegion(class_name="Hippocampus")),
    ("17", PredictedRegion(class_name="17")),
    ("predicted:Left-Thalamus-Proper*", PredictedRegion(class_name="Left-Thalamus-Proper*")),
    ("class:3", ClassScore(class_name="3")),
    ("label:liver", LabelRegion(class_name="liver")),
    ("label:liver:5", LabelRegion(class_name="liver", value=5)),
    ("component:liver", Component(class_name="liver")),
    ("component:liver:2", Component(class_name="liver", rank=2)),
    ("component:liver:1,2,3", Component(class_name="liver", voxel=(1, 2, 3))),
    ("fp:lesion", FalsePositives(class_name="lesion")),
    ("fn:1", FalseNegatives(class_name="1")),
    ("boundary:liver", Boundary(class_name="liver", width=2.0)),
    ("boundary:liver:1.5", Boundary(class_name="liver", width=1.5)),
    ("voxel:1,2,3", Voxel(index=(1, 2, 3))),
    ("voxel:liver:4,5", Voxel(index=(4, 5), class_name="liver")),
    ("fn:lesion@margin", FalseNegatives(class_name="lesion", score="margin")),
    ("all@probability", AllClasses(score="probability")),
    (" liver ", PredictedRegion(class_name="liver")),
]


@pytest.mark.parametrize(("text", "target"), GRAMMAR, ids=[g[0] for g in GRAMMAR])
def test_grammar(text, target):
    assert parse_target(text, task="segmentation") == target


def test_grammar_of_classifiers_masks_and_defaults():
    assert parse_target("predicted", task="classification") == ClassScore()
    assert parse_target("pneumonia", task="classification") == ClassScore(class_name="pneumonia")
    mask = parse_target("mask:liver:/data/a:b.nii.gz@margin", task="segmentation")
    assert (mask.class_name, mask.mask, mask.score) == ("liver", "/data/a:b.nii.gz", "margin")
    assert isinstance(mask, Mask)
    given = parse_target("liver", task="segmentation", score="margin", reduce="sum")
    assert given == PredictedRegion(class_name="liver", score="margin", reduce="sum")


ERRORS = [
    ("", "empty"),
    ("  ", "empty"),
    ("boundry:liver", "did you mean 'boundary'"),
    ("liver@probabilty", "did you mean 'probability'"),
    ("boundary:liver:wide", "'wide', expected a number"),
    ("voxel:a,b,c", "expected a number"),
    ("component:liver:x", "expected a number"),
    ("label:liver:x", "expected a number"),
    ("mask:liver", "mask:CLASS:FILE"),
    ("fp:", "nothing after 'fp:'"),
    ("mask:liver:", "mask:CLASS:FILE"),
]


@pytest.mark.parametrize(("text", "words"), ERRORS, ids=[repr(e[0]) for e in ERRORS])
def test_texts_outside_the_grammar_say_what_was_meant(text, words):
    with pytest.raises(TargetError, match=re.escape(words)) as caught:
        parse_target(text, task="segmentation")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [(lambda: PredictedRegion(score="logits"), "logits"), (lambda: PredictedRegion(reduce="max"), "max")],
)
def test_impossible_scores_are_refused_on_creation(make, words):
    with pytest.raises(TargetError, match=words):
        make()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("class1", "class 1"),
        ("component:1:0", "rank 0"),
        ("boundary:1:-2", "positive width"),
        ("9", "classes 0 to 2"),
        ("voxel:1,2,3", "found 3 indices"),
        ([], "none was given"),
        ("-1", "classes 0 to 2"),
    ],
    ids=str,
)
def test_targets_that_do_not_fit_the_case_are_refused(case, target, words):
    with pytest.raises(InputError, match=words):
        Problem(Model(smooth_segmenter(2)), case, target)
