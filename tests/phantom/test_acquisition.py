"""Noise and bias have the statistics that their names promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import rice

from voxplain.phantom.acquisition import bias_field, blur, gaussian, rician
from voxplain.phantom.grid import make_grid
from voxplain.phantom.waves import Waves


@pytest.mark.parametrize("signal", [0.0, 1.0, 10.0])
def test_rician_noise_follows_the_rice_distribution(signal):
    noisy = rician(np.full(200_000, signal, dtype=np.float32), 2.0, np.random.default_rng(0))
    truth = rice(signal / 2.0, scale=2.0)
    assert noisy.mean() == pytest.approx(truth.mean(), rel=0.01)
    assert noisy.std() == pytest.approx(truth.std(), rel=0.01)
    assert (noisy < truth.median()).mean() == pytest.approx(0.5, abs=0.005)


def test_gaussian_noise_has_the_asked_deviation_whatever_its_grain():
    image = np.zeros((40, 40, 40), dtype=np.float32)
    for grain in (0.0, 0.6, 1.2):
        noise = gaussian(image, 15.0, np.random.default_rng(0), grain)
        assert noise.std() == pytest.approx(15.0, rel=1e-4)


def test_blur_keeps_a_plateau_and_the_mean():
    image = np.zeros((30, 30), dtype=np.float32)
    image[10:20, 10:20] = 100
    spread = blur(image, 0.8)
    assert spread[15, 15] == pytest.approx(100, abs=0.01)
    assert spread.mean() == pytest.approx(image.mean(), rel=1e-4)
    assert spread[10, 15] == pytest.approx(100 - spread[9, 15], abs=0.1)  # antisymmetric about the edge


def test_bias_is_smooth_positive_and_of_the_asked_strength():
    grid = make_grid((24, 24, 24), spacing=2.0)
    logs = np.stack(
        [np.log(bias_field(grid, grid.points(), 0.2, np.random.default_rng(s))) for s in range(40)]
    )
    assert logs.std() == pytest.approx(0.2, rel=0.1)  # over places and seeds
    steps = np.abs(np.diff(logs, axis=1)).max()
    # |∇| of 0.2·√(2/8)·Σcos is at most 0.2·√(2/8)·8·k, with k = 2π / (0.8 · 1.5 · 48 mm), per 2 mm voxel.
    assert steps < 0.2 * 0.5 * 8 * 2 * np.pi / (0.8 * 1.5 * 48) * 2


def test_waves_have_unit_variance_and_zero_mean_over_seeds():
    points = np.zeros((3, 1), dtype=np.float32)
    values = np.array([Waves.draw(np.random.default_rng(s), 20.0)(points)[0] for s in range(2000)])
    assert values.mean() == pytest.approx(0, abs=0.1)
    assert values.std() == pytest.approx(1, rel=0.05)


def test_distance_of_a_single_wave_is_the_distance_to_its_plane():
    # cos(2πx/20) is zero at x = ±5; near there |f|/|∇f| = tan-like and equals the distance to first order.
    wave = Waves(np.array([[2 * np.pi / 20, 0, 0]], dtype=np.float32), np.zeros(1, dtype=np.float32))
    x = np.array([4.0, 4.9, 5.0, 5.3])
    points = np.stack([x, 0 * x, 0 * x]).astype(np.float32)
    assert wave.distance(points) == pytest.approx(np.abs(x - 5), abs=0.04)
