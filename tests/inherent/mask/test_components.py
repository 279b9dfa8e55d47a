"""Connected parts counted by hand, in voxels and in millimetres."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import label

from voxplain.errors import InputError
from voxplain.inherent.mask import Components, lesions
from voxplain.inherent.mask.components import labelled

# parts by faces: a of 3, b of 2 (touches a by a corner), c of 1
MASK = np.array([[1, 1, 0, 0, 0], [1, 0, 0, 0, 1], [0, 1, 1, 0, 0], [0, 0, 0, 0, 0]], bool)
A, B, C = ((0, 0), (0, 1), (1, 0)), ((2, 1), (2, 2)), ((1, 4),)


def made_of(*parts) -> np.ndarray:
    mask = np.zeros(MASK.shape, bool)
    for part in parts:
        for voxel in part:
            mask[voxel] = True
    return mask


@pytest.mark.parametrize(
    ("components", "stays"),
    [
        (Components(), (A, B, C)),
        (Components(at_least_voxels=2), (A, B)),
        (Components(at_least_voxels=4), ()),
        (Components("largest"), (A,)),
        (Components("largest", at_least_voxels=4), ()),
        (Components("largest", connectivity="corner"), (A, B)),
        (Components(at_least_voxels=4, connectivity="corner"), (A, B)),
        (Components(at_least_share=0.1), (A,)),  # 2 of 20 voxels are spared: more than 2 stay
        (Components(at_least_share=0.09), (A, B)),  # 1.8 are: more than 1 stay
    ],
)
def test_what_stays(components, stays):
    assert np.array_equal(components(MASK), made_of(*stays))


@pytest.mark.parametrize(
    ("spacing", "least", "stays"),
    [
        ((1.0, 1.0), 2.0, (A, B)),
        ((0.5, 4.0), 4.0, (A, B)),
        ((0.5, 4.0), 4.1, (A,)),
        ((0.1, 10.0), 3.0, (A,)),
        ((3.0, 3.0), 27.0, (A,)),
        ((3.0, 3.0), 27.1, ()),
    ],
)
def test_areas_are_in_square_millimetres(spacing, least, stays):
    assert np.array_equal(Components(at_least_mm2=least)(MASK, spacing), made_of(*stays))


def test_volumes_are_in_millilitres():
    mask = np.zeros((8, 8, 8), bool)
    mask[:2, :2, :2] = True  # 8 voxels of 5 · 5 · 10 mm³ = 2 ml
    mask[5, 5, 5] = True  # 0.25 ml
    assert Components(at_least_ml=2.0)(mask, (5.0, 5.0, 10.0)).sum() == 8
    assert Components(at_least_ml=2.01)(mask, (5.0, 5.0, 10.0)).sum() == 0
    assert Components(at_least_ml=0.25)(mask, (5.0, 5.0, 10.0)).sum() == 9


def test_every_bound_must_be_met():
    assert np.array_equal(Components(at_least_voxels=3, at_least_mm2=2)(MASK, (1.0, 1.0)), made_of(A))
    assert np.array_equal(Components(at_least_voxels=2, at_least_mm2=3)(MASK, (1.0, 1.0)), made_of(A))


@pytest.mark.parametrize("shape", [(30, 31), (12, 13, 14)])
@pytest.mark.parametrize("connectivity", ["face", "corner"])
def test_parts_are_those_of_scikit_image(shape, connectivity):
    mask = np.random.default_rng(0).random(shape) < 0.3
    ours, count = labelled(mask, connectivity)
    theirs, number = label(mask, connectivity=1 if connectivity == "face" else mask.ndim, return_num=True)
    assert count == number and len(np.unique(np.stack([ours, theirs]).reshape(2, -1), axis=1).T) == count + 1


def test_lesions_come_most_confident_first():
    score = np.zeros(MASK.shape, np.float32)
    score[1, 4], score[2, 2], score[0, 0], score[2, 1] = 9, 5, 3, -1
    found = lesions(MASK, score, (2.0, 3.0))
    assert [p.score for p in found] == [9, 5, 3] and [p.voxels for p in found] == [1, 2, 3]
    assert [p.size for p in found] == [6, 12, 18] and [p.number for p in found] == [1, 2, 3]
    assert found[2].centre == pytest.approx((1 / 3, 1 / 3)) and found[1].box == ((2, 3), (1, 3))
    assert found[1].where.tolist() == [11, 12]
    row = {"lesion": 2, "voxels": 2, "size": 12, "score": 5, "centre_0": 2, "centre_1": 1.5}
    assert found[1].row() == row


def test_lesions_of_equal_confidence_come_by_size():
    assert [p.voxels for p in lesions(MASK, np.ones(MASK.shape, np.float32))] == [3, 2, 1]
    assert [p.voxels for p in lesions(MASK)] == [3, 2, 1]
    assert lesions(np.zeros((3, 3), bool)) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Components("biggest"), "keep: found 'biggest'"),
        (lambda: Components(at_least_ml=-1), "at_least_ml: found -1"),
        (lambda: Components(at_least_ml=1)(MASK, (1.0, 1.0)), "at_least_ml: found 2 axes"),
        (lambda: Components(at_least_mm2=1)(MASK), "at_least_mm2: found 2 axes and no spacing"),
        (lambda: Components(connectivity="edge")(MASK), "connectivity: found 'edge'"),
        (lambda: lesions(MASK, np.zeros((2, 2), np.float32)), r"score: found shape \(2, 2\)"),
    ],
)
def test_what_cannot_be_kept_is_told(make, message):
    with pytest.raises(InputError, match=message):
        make()
