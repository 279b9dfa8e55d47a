"""Sinc resampling is exact for what both grids can hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import signal
from torch import Tensor

from voxplain.inherent.networks.sinc import sinc_resample

PAIRS = [(8, 16), (7, 14), (9, 18), (8, 13), (9, 20), (16, 8), (15, 7), (12, 5), (14, 9)]


def wave(places: np.ndarray, period: int, highest: int) -> np.ndarray:
    """A sum of all waves up to the highest, at any places."""
    rng = np.random.default_rng(0)
    found = rng.normal() * np.ones_like(places)
    for k in range(1, highest + 1):
        a, b = rng.normal(size=2)
        found = (
            found + a * np.cos(2 * np.pi * k * places / period) + b * np.sin(2 * np.pi * k * places / period)
        )
    return found


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_a_band_limited_signal_is_reproduced(old: int, new: int, centred: bool) -> None:
    highest = (min(old, new) - 1) // 2
    before = np.arange(old, dtype=float)
    after = np.arange(new) * old / new
    if centred:
        after = (np.arange(new) + 0.5) * old / new - 0.5
    x = torch.from_numpy(wave(before, old, highest))[None, None]
    found = sinc_resample(x, (new,), centred=centred)[0, 0].numpy()
    np.testing.assert_allclose(found, wave(after, old, highest), atol=1e-12)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_any_signal_is_resampled_as_scipy_does(old: int, new: int) -> None:
    """The highest wave of an even grid too, of which scipy halves or doubles what the grids share."""
    x = np.random.default_rng(1).normal(size=(2, 3, old))
    found = sinc_resample(torch.from_numpy(x), (new,)).numpy()
    np.testing.assert_allclose(found, signal.resample(x, new, axis=-1), atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 3, 6, 7), (1, 2, 4, 5, 6)])
def test_every_axis_is_resampled(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape, dtype=torch.float64)
    size = [2 * n for n in shape[2:]]
    expected = x.numpy()
    for axis, n in enumerate(size, start=2):
        expected = signal.resample(expected, n, axis=axis)
    np.testing.assert_allclose(sinc_resample(x, size).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("n", [6, 7])
def test_centred_resampling_commutes_with_flipping(n: int) -> None:
    x = torch.randn(1, 1, n, n, dtype=torch.float64)

    def up(y: Tensor, centred: bool) -> Tensor:
        return sinc_resample(y, (2 * n, 2 * n), centred=centred)

    torch.testing.assert_close(up(x.flip(2), True), up(x, True).flip(2))
    assert not torch.allclose(up(x.flip(2), False), up(x, False).flip(2))


def test_precision_is_kept_and_gradients_flow() -> None:
    x = torch.randn(1, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: sinc_resample(y, (10, 8), centred=True), x)
    with torch.autocast("cpu", torch.bfloat16):
        half = sinc_resample(x.detach().bfloat16(), (10, 8))
        single = sinc_resample(x.detach().float(), (10, 8))
    assert half.dtype == torch.bfloat16 and single.dtype == torch.float32
    torch.testing.assert_close(single.double(), sinc_resample(x.detach(), (10, 8)), rtol=1e-5, atol=1e-5)
