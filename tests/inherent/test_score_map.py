"""Scores against evidence written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made_maps import blobs, shuffled

from voxplain.errors import InputError
from voxplain.inherent.maps import Maps
from voxplain.inherent.score_map import (
    ClassScore,
    ImageIntensity,
    RandomMap,
    WholeImage,
    score_map_from_dict,
)

# one row of four voxels, classes healthy, 1, 2; the largest logit is healthy's, of the lesions it is class 2's
EVIDENCE = np.array([[[1.0, 0, 2, 0]], [[0.0, 5, 1, 0]], [[4.0, 3, 1, -1]]])
BY_HAND = {
    ("evidence", "lesion"): [4, 3, 1, -1],
    ("evidence", "predicted"): [1, 0, 2, 0],
    ("evidence", 1): [0, 5, 1, 0],
    ("contrast", "lesion"): [3, 3, -1, -1],
    ("contrast", "predicted"): [0, 0, 0, 0],
    ("contrast", 1): [-1, 5, -1, 0],
    ("margin", "lesion"): [3, -2, -1, -1],
    ("margin", "predicted"): [-3, -5, 1, 0],
    ("margin", 1): [-4, 2, -1, 0],
}


def one(**more) -> Maps:
    return Maps(("a",), ("p",), [EVIDENCE], [[3.0, 1.0, 2.0]], [1], **more)


@pytest.mark.parametrize(("kind", "of"), BY_HAND)
def test_class_scores(kind, of):
    assert ClassScore(kind, of)(one(), 0).tolist() == [BY_HAND[kind, of]]


def test_a_margin_is_positive_where_the_class_wins():
    maps = blobs(4)
    for i in range(4):
        for k in range(3):
            wins = maps.evidence[i].argmax(axis=0) == k
            assert np.array_equal(ClassScore("margin", k)(maps, i) > 0, wins)


def test_of_two_classes_margin_and_contrast_are_one():
    maps = blobs(4, classes=2)
    assert np.array_equal(ClassScore("margin")(maps, 1), ClassScore("contrast")(maps, 1))


def test_a_score_never_reads_the_label_or_the_mask():
    maps = blobs(6)
    blind = Maps(maps.ids, maps.groups, maps.evidence, maps.logits, np.zeros(6, int), images=maps.images)
    for score in (
        ClassScore(),
        ClassScore("margin", "predicted"),
        ImageIntensity(),
        RandomMap(),
        WholeImage(),
    ):
        assert all(np.array_equal(a, b) for a, b in zip(score.all(maps), score.all(blind), strict=True))


def test_the_image_dark_or_bright():
    image = np.array([[[1.0, 2, 3, 4]], [[3.0, 0, 1, 0]]])
    maps = one(images=[image])
    assert ImageIntensity()(maps, 0).tolist() == [[2, 1, 2, 2]]
    assert ImageIntensity(1, -1)(maps, 0).tolist() == [[-3, 0, -1, 0]]
    with pytest.raises(InputError, match="channel: found 2"):
        ImageIntensity(2)(maps, 0)
    with pytest.raises(InputError, match="image of 'a': found none"):
        ImageIntensity()(one(), 0)


def test_random_maps_depend_on_the_case_and_the_seed_alone():
    maps = blobs(6)
    other = shuffled(maps)
    by_id = dict(zip(other.ids, RandomMap(3).all(other), strict=True))
    assert all(np.array_equal(s, by_id[i]) for i, s in zip(maps.ids, RandomMap(3).all(maps), strict=True))
    assert not np.array_equal(RandomMap(3)(maps, 0), RandomMap(4)(maps, 0))
    assert not np.array_equal(RandomMap(3)(maps, 0), RandomMap(3)(maps, 1))


@pytest.mark.parametrize(
    "score",
    [ClassScore("margin", 2), ImageIntensity(1, -1), RandomMap(7), WholeImage()],
    ids=lambda s: s.name,
)
def test_a_score_comes_back_from_what_it_tells(score):
    assert score_map_from_dict(score.to_dict()) == score


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ClassScore("logit"), "kind: found 'logit'"),
        (lambda: ClassScore(of="label"), "of: found 'label'"),
        (lambda: ClassScore(of=3)(one(), 0), "of: found class 3"),
        (lambda: ClassScore(of=0)(one(), 0), "of: found 0, the healthy class"),
        (lambda: ClassScore()(one(healthy=None), 0), "contrast without a healthy class"),
        (lambda: score_map_from_dict({"name": "clas"}), "did you mean 'class'"),
        (lambda: score_map_from_dict({"name": "class", "off": 1}), "found settings"),
    ],
)
def test_what_cannot_be_scored_is_told(make, message):
    with pytest.raises(InputError, match=message):
        make()
