"""Intensities by the written-out formula."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from voxplain.case import Case, Geometry
from voxplain.errors import InputError
from voxplain.model import Preparation


def case(image: np.ndarray, geometry: bool = True) -> Case:
    grid = Geometry(np.eye(4), image.shape[1:]) if geometry else None
    return Case(id="t", image=image.astype(np.float32), geometry=grid, label=None, meta={})


IMAGE = np.random.default_rng(0).normal(50, 20, (2, 6, 7, 8)) * np.array([1, 30]).reshape(2, 1, 1, 1)
IMAGE[:, :2] = 0


def per_channel(function) -> np.ndarray:
    return np.stack([function(channel) for channel in IMAGE.astype(np.float32).astype(np.float64)])


def nonzero_zscore(c: np.ndarray) -> np.ndarray:
    inside = c[c != 0]
    return np.where(c != 0, (c - inside.mean()) / inside.std(), 0)


def percentile(c: np.ndarray) -> np.ndarray:
    low, high = np.percentile(c, [10, 90])
    return np.clip((c - low) / (high - low), 0, 1)


SCALES = {
    "minmax": lambda c: (c - c.min()) / (c.max() - c.min()),
    "max": lambda c: c / c.max(),
    "zscore": lambda c: (c - c.mean()) / c.std(),
    "zscore-nonzero": nonzero_zscore,
    "percentile": percentile,
    (20.0, 60.0): lambda c: np.clip((c - 20) / 40, 0, 1),
}


@pytest.mark.parametrize(("scale", "formula"), SCALES.items(), ids=map(str, SCALES))
@pytest.mark.parametrize("geometry", [True, False])
def test_scaling_is_the_written_out_formula(scale, formula, geometry) -> None:
    prepared = Preparation(scale=scale, percentiles=(10, 90))(case(IMAGE, geometry))
    np.testing.assert_allclose(prepared.image.numpy(), per_channel(formula), atol=2e-5)


@pytest.mark.parametrize("scale", ["minmax", "zscore", "zscore-nonzero", "percentile"])
def test_a_constant_image_is_not_divided_by_zero(scale) -> None:
    with pytest.raises(InputError, match=r"case t, channel 1: (found|percentiles)"):
        Preparation(scale=scale)(case(np.stack([IMAGE[0], np.full_like(IMAGE[0], 3.0)])))


def test_a_dark_image_has_no_maximum() -> None:
    with pytest.raises(InputError, match="the maximum is 0, expected a positive one"):
        Preparation(scale="max")(case(np.zeros((1, 4, 4, 4))))


def test_a_constant_image_has_no_foreground() -> None:
    with pytest.raises(InputError, match="crop: the image of case t is constant"):
        Preparation(crop="foreground")(case(np.ones((1, 4, 4, 4))))


def test_a_background_that_is_not_the_lowest_value_is_told_where_it_is_cropped() -> None:
    image = np.zeros((1, 8, 8, 8))
    image[0, 2:6, 2:6, 2:6] = np.random.default_rng(0).uniform(1, 2, (4, 4, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Preparation(scale="minmax", crop="foreground")(case(image)).image.shape == (1, 4, 4, 4)
    image[0, 3, 3, 3] = -2.0  # as resampling leaves it
    with pytest.warns(UserWarning, match="100% of the image's outer voxels are 0.5, but the lowest value"):
        assert Preparation(scale=(-2, 2), crop="foreground")(case(image)).image.shape == (1, 8, 8, 8)


def test_padding_is_background_not_zero() -> None:
    # air in a CT is -1000: a frame of zeros would be water
    image = np.full((1, 5, 5, 5), -1000.0)
    image[0, 2, 2, 2] = 40
    padded = Preparation(divisible=4)(case(image)).image[0].numpy()
    assert padded.shape == (8, 8, 8)
    assert np.unique(padded).tolist() == [-1000.0, 40.0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"orientation": "LLA"}, "orientation: found 'LLA'"),
        ({"orientation": "XYZ"}, "orientation: found 'XYZ'"),
        ({"spacing": 0}, "spacing: found 0"),
        ({"spacing": (1, -1, 1)}, "spacing: found"),
        ({"spacing": float("nan")}, "spacing: found nan"),
        ({"size": 12.5}, "size: found 12.5"),
        ({"size": 12, "spacing": 1}, "found both"),
        ({"scale": "minmx"}, "did you mean 'minmax'"),
        ({"scale": (3.0, 1.0)}, "low < high"),
        ({"percentiles": (9.0, 1.0)}, "percentiles: found"),
        ({"crop": "brain"}, "crop: found 'brain'"),
        ({"margin": -1}, "margin: found -1"),
        ({"divisible": 0}, "divisible: found 0"),
        ({"dims": 4}, "dims: found 4"),
        ({"transforms": dict, "scale": "max"}, "either transforms or the steps"),
    ],
)
def test_impossible_steps_are_refused(arguments, says) -> None:
    with pytest.raises(InputError, match=says):
        Preparation(**arguments)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"spacing": (1.0, 1.0)}, "spacing: found 2 numbers"),
        ({"size": (8, 8)}, "size: found 2 numbers"),
        ({"spacing": 1e-4}, "would make .* voxels"),
        ({"orientation": "RA"}, "expected three letters"),
    ],
)
def test_steps_that_do_not_fit_the_case(arguments, says) -> None:
    with pytest.raises(InputError, match=says):
        Preparation(**arguments)(case(IMAGE))
