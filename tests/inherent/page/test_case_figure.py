"""A volume's figure shows a slice that is worth seeing, names it as its files count, and says what lies elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from voxplain.inherent.page.case_figure import case_figure
from voxplain.inherent.running.case_files import Grid

SHAPE = (6, 5, 9)
UP = np.diag([2.0, 2.0, 3.0, 1.0])  # k runs from the feet to the head, and is shown from the head to the feet
# file axes are (z, x, y): the axial slices are counted by i
PERMUTED = np.array([[0, 2.0, 0, 0], [0, 0, 2.0, 0], [3.0, 0, 0, 0], [0, 0, 0, 1]])


def marked(shape, axis, slices):
    """So many voxels in each of these slices."""
    out = np.zeros(shape, bool)
    for at, count in slices.items():
        plane = np.zeros_like(out.take(0, axis))
        plane.flat[:count] = True
        np.moveaxis(out, axis, 0)[at] = plane
    return out


def drawn(mask, truth, affine=UP, shape=SHAPE, axis=2):
    rng = np.random.default_rng(0)
    evidence = rng.normal(size=(2, *shape))
    found = case_figure(
        rng.normal(size=(1, *shape)), evidence, ["none", "spot"], Grid(shape, affine, None),
        mask=None if mask is None else marked(shape, axis, mask),
        truth=None if truth is None else marked(shape, axis, truth), title="case",
    )  # fmt: skip
    legend = {text.get_text() for text in found.figure.texts}
    return found.caption, [axes.get_title() for axes in found.figure.axes][3], legend


@pytest.mark.parametrize(
    ("mask", "truth", "says", "title"),
    [
        # the slice with most of both, though others have more of one
        ({1: 9, 5: 3, 6: 2}, {5: 3, 6: 8}, "Slice k = 5 of the files (axial).", "mask and truth"),
        # nothing in common: the truth, and where the mask is
        ({1: 9}, {6: 2, 7: 4, 8: 1}, "Slice k = 7 of the files (axial). No mask lies in it: mask in k = 1.",
         "no mask in this slice; truth"),
        ({1: 2, 4: 9}, None, "Slice k = 4 of the files (axial).", "mask"),
        ({1: 2, 4: 9}, {}, "Slice k = 4 of the files (axial).", "mask; truth is empty"),
        ({}, {2: 1, 3: 4}, "Slice k = 3 of the files (axial).", "mask is empty; truth"),
    ],
)  # fmt: skip
def test_the_slice_that_is_shown(mask, truth, says, title):
    caption, found, _ = drawn(mask, truth)
    assert caption.endswith(says) and found == title


def test_what_is_not_in_the_slice_is_not_in_its_legend():
    assert "mask" not in drawn({1: 9}, {6: 2})[2] and "ground truth" in drawn({1: 9}, {6: 2})[2]
    assert {"mask", "ground truth"} <= drawn({1: 9}, {1: 2})[2]


def test_the_index_is_that_of_the_files_axis():
    caption, *_ = drawn({6: 2, 7: 9}, {1: 3, 2: 4, 3: 3, 5: 1}, PERMUTED, (9, 6, 5), 0)
    assert caption.endswith("Slice i = 2 of the files (axial). No mask lies in it: mask in i = 6–7.")
