"""Lesions found and false marks, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from voxplain.errors import InputError
from voxplain.inherent.evaluate import froc, marks
from voxplain.inherent.evaluate.froc import Marks
from voxplain.inherent.mask import lesions

TRUTH = np.zeros((8, 12), bool)
TRUTH[1:3, 1:3] = True  # lesion of 4
TRUTH[5:7, 5:8] = True  # lesion of 6
SCORE = np.zeros(TRUTH.shape, np.float32)
SCORE[2, 1:4] = 7  # covers 2 of the 4, sticks out
SCORE[6, 7] = 3  # covers 1 of the 6
SCORE[0, 10:12] = 5  # nothing there
SCORE[4, 0] = 1  # nothing there


def case(threshold=0.0, overlap=0.0) -> Marks:
    return marks(lesions(threshold < SCORE, SCORE), TRUTH, overlap=overlap)


def test_marks_by_hand():
    found = case()
    assert sorted(found.found) == [3, 7] and sorted(found.false) == [1, 5] and sorted(found.sizes) == [4, 6]


def test_a_lesion_must_be_covered_as_far_as_asked():
    assert sorted(case(overlap=0.4).found) == [-np.inf, 7]  # 2/4 is more, 1/6 is not
    assert sorted(case(overlap=0.5).found) == [-np.inf, -np.inf]  # 2/4 is not more than a half
    assert sorted(case(overlap=0.4).false) == [1, 5]  # what touches a lesion is not false
    with pytest.raises(InputError, match="overlap: found 1"):
        case(overlap=1)


def test_a_mark_over_two_lesions_finds_both_and_two_marks_on_one_count_once():
    everything = np.ones(TRUTH.shape, bool)
    assert marks(lesions(everything, SCORE), TRUTH).found.tolist() == [7, 7]
    two = np.zeros(TRUTH.shape, np.float32)
    two[5, 5], two[6, 7] = 2, 4
    found = marks(lesions(two > 0, two), TRUTH)
    assert sorted(found.found) == [-np.inf, 4] and len(found.false) == 0


def test_the_curve_by_hand():
    """The case above, and a healthy one with marks at 6 and 2. Falling: 7 hit, 6 and 5 false, 3 hit, 2 and 1 false."""
    healthy = Marks(np.zeros(0), np.array([6.0, 2.0]), np.zeros(0, int))
    curve = froc([case(), healthy])
    assert curve.thresholds.tolist() == [7, 6, 5, 3, 2, 1]
    assert curve.sensitivity.tolist() == [0.5, 0.5, 0.5, 1, 1, 1]
    assert curve.false_per_case.tolist() == [0, 0.5, 1, 1, 1.5, 2]
    assert [curve.at(r) for r in (0.125, 0.5, 1, 8)] == [0.5, 0.5, 1, 1]
    assert curve.mean_sensitivity() == pytest.approx((0.5 * 3 + 4) / 7)


def test_weights_are_repetitions():
    healthy = Marks(np.zeros(0), np.array([6.0, 2.0]), np.zeros(0, int))
    a, b = froc([case(), healthy], np.array([1, 3])), froc([case(), healthy, healthy, healthy])
    assert np.array_equal(a.sensitivity, b.sensitivity) and np.array_equal(a.false_per_case, b.false_per_case)
    none = froc([case(), healthy], np.array([0, 2]))
    assert none.lesions == 0 and np.isnan(none.sensitivity).all() and np.isnan(none.mean_sensitivity())


def test_without_any_mark_nothing_is_found():
    curve = froc([marks([], TRUTH)])
    assert len(curve.thresholds) == 0 and curve.at(8) == 0 and curve.lesions == 2
