"""What a scanner adds to the truth: blur, receive bias, noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from voxplain.errors import InputError
from voxplain.phantom.grid import Grid
from voxplain.phantom.waves import Waves

Floats = NDArray[np.float32]


def blur(image: Floats, sigma: float) -> Floats:
    """Gaussian point spread of `sigma` voxels: mixes tissues at their border, as partial volume does."""
    if sigma == 0:
        return image
    return np.asarray(gaussian_filter(image, sigma, mode="nearest"), dtype=np.float32)


def bias_field(grid: Grid, points: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Smooth positive gain with mean about 1: `exp(strength · field)`, one wave over the field of view."""
    width = float(np.max(np.asarray(grid.shape) * np.asarray(grid.geometry.spacing)[: len(grid.shape)]))
    waves = Waves.draw(rng, 1.5 * width / grid.scale, 8)
    if strength == 0:
        return np.ones(grid.shape, dtype=np.float32)
    return np.asarray(np.exp(np.float32(strength) * waves(points)))


def rician(image: Floats, sigma: float, rng: np.random.Generator) -> Floats:
    """Magnitude MR noise: the modulus of a complex signal with Gaussian noise in both parts.

    Source: Gudbjartsson and Patz, Magn Reson Med 34 (1995), eq. 1.
    """
    real, imaginary = (rng.standard_normal(image.shape, dtype=np.float32) for _ in range(2))
    if sigma == 0:
        return image
    return np.asarray(np.hypot(image + np.float32(sigma) * real, np.float32(sigma) * imaginary))


def gaussian(image: Floats, sigma: float, rng: np.random.Generator, grain: float = 0.6) -> Floats:
    """CT-like noise of standard deviation `sigma`, correlated over about `grain` voxels."""
    noise = blur(rng.standard_normal(image.shape, dtype=np.float32), grain)
    if sigma == 0:
        return image
    spread = float(noise.std()) or 1.0
    return image + np.float32(sigma / spread) * noise


def check_amounts(**amounts: float) -> None:
    """Raise InputError where an amount (noise, bias, blur, …) is negative or not finite."""
    for name, value in amounts.items():
        if not (np.isfinite(value) and value >= 0):
            raise InputError(f"{name}: {value!r} is not usable; 0 (none) or a positive number would be")
