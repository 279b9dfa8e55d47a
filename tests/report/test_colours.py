"""Colours are symmetric about zero, weak values are transparent, and nothing impossible is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from voxplain.errors import InputError
from voxplain.report.colours import OUTLINES, Scale, overlay, shade, window
from voxplain.report.outline import outline
from voxplain.report.panel import strongest_along


def test_colour_range_is_symmetric_for_a_lopsided_map():
    values = np.array([-1.0, 0.0, 0.0, 10.0])
    scale = Scale.of(values, percentile=100)
    assert (scale.limit, scale.low, scale.high, scale.beyond) == (10.0, -1.0, 10.0, 0.0)
    colours = overlay(np.array([-10.0, 0.0, 10.0, 25.0]), scale.limit)
    assert colours[1, 3] == 0
    assert colours[0, 3] == colours[2, 3] == pytest.approx(0.9)
    np.testing.assert_array_equal(colours[2], colours[3])


def test_range_ignores_exact_zeros_and_counts_what_lies_beyond():
    # 1..1000 among a million zeros: the 99th percentile of 1..1000 is 1 + 0.99 * 999 = 990.01, so 10 of 1000
    # values (991..1000) lie beyond.
    values = np.zeros(1_000_000)
    values[:1000] = -np.arange(1, 1001)
    scale = Scale.of(values, percentile=99)
    assert scale.limit == pytest.approx(990.01)
    assert scale.beyond == pytest.approx(0.01)


def test_opacity_grows_with_the_size_and_not_with_the_sign():
    alpha = overlay(np.linspace(-1, 1, 101), 1.0)[:, 3]
    assert np.all(np.diff(alpha[50:]) > 0)
    np.testing.assert_allclose(alpha, alpha[::-1])


def test_signs_have_opposite_hues():
    negative, positive = overlay(np.array([-0.6, 0.6]), 1.0)
    assert negative[2] > negative[0]  # blue
    assert positive[0] > positive[2]  # red


@pytest.mark.parametrize("size", [1e-40, 1e-8, 1e30])
def test_any_magnitude_can_be_drawn(size):
    values = np.array([-size, 0, size / 2], np.float64)
    scale = Scale.of(values, 100)
    assert np.isfinite(overlay(values, scale.limit)).all()
    assert overlay(values, scale.limit)[2, 3] == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 2)), "zero in all 4"),
        (np.array([[1.0, np.nan]]), r"NaN or infinite in 1 of 2 voxels \(first at \(0, 1\)\)"),
        (np.array([1.0, -np.inf, np.inf]), "in 2 of 3"),
    ],
)
def test_maps_that_cannot_be_drawn_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        Scale.of(values)


def test_window_of_a_mostly_empty_image_is_its_range():
    image = np.zeros(10_000)
    image[:3] = 7
    assert window(image) == (0.0, 7.0)


def test_constant_background_is_grey():
    np.testing.assert_array_equal(shade(np.full((2, 2), 9.0), (9.0, 9.0)), 0.5)


def test_signed_projection_keeps_the_largest_magnitude_with_its_sign():
    values = np.random.default_rng(1).normal(size=(4, 5, 6))
    for axis in range(3):
        expected = np.apply_along_axis(lambda ray: ray[np.abs(ray).argmax()], axis, values)
        np.testing.assert_array_equal(strongest_along(values, axis), expected)


def shoelace(loop):
    x, y = loop.T
    return 0.5 * float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


@pytest.mark.parametrize("seed", range(5))
def test_outline_encloses_exactly_its_voxels(seed):
    mask = np.random.default_rng(seed).random((9, 7)) < 0.5  # holes, touching corners, borders
    loops = outline(mask)
    assert sum(map(shoelace, loops)) == mask.sum()  # holes run the other way and count negative
    assert all((loop[0] == loop[-1]).all() for loop in loops)
    # Voxel-exact: every corner is half-way between pixel centres; total length is the number of voxel edges.
    corners = np.concatenate(loops)
    np.testing.assert_array_equal(corners % 1, 0.5)
    padded = np.pad(mask, 1).astype(int)
    edges = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    assert sum(np.abs(np.diff(loop, axis=0)).sum() for loop in loops) == edges


@pytest.mark.parametrize("mask", [np.eye(2), np.eye(2)[::-1]])
def test_voxels_that_touch_at_a_corner_stay_two_outlines(mask):
    assert [shoelace(loop) for loop in outline(mask)] == [1.0, 1.0]


def test_empty_mask_has_no_outline():
    assert outline(np.zeros((3, 3), bool)) == []


def test_outline_colours_are_distinct():
    assert len(set(OUTLINES)) == len(OUTLINES)
