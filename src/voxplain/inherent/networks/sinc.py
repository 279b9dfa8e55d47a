"""Sinc interpolation: resampling that is exact for band-limited periodic signals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


def sinc_resample(x: Tensor, size: Sequence[int], *, centred: bool = False) -> Tensor:
    """Resample the spatial axes by cutting or padding the spectrum; the image is taken to repeat itself.

    As `scipy.signal.resample` along every axis: a wave that both grids can hold is reproduced exactly. In single
    precision inside autocast, too.

    Args:
        x: (N, C, *spatial).
        size: the new spatial size.
        centred: whether the two grids share their extent (voxel edges, as after pooling), so that flipping commutes with
            resampling; else they share the place of their first samples (as after a convolution with stride).

    >>> x = torch.tensor([[[0.0, 1.0, 0.0, -1.0]]])  # a wave of four samples
    >>> sinc_resample(x, (8,)).abs().sum()
    tensor(4.8284)
    """
    with torch.autocast(x.device.type, enabled=False):
        full = x if x.dtype == torch.float64 else x.float()
        for axis, new in enumerate(size, start=2):
            old = int(full.shape[axis])  # a tensor while a network is traced
            if new != old:
                matrix = torch.tensor(sinc_matrix(old, new, centred), dtype=full.dtype, device=x.device)
                full = F.linear(full.movedim(axis, -1), matrix).movedim(-1, axis)
    return full.to(x.dtype)


@lru_cache(maxsize=64)
def sinc_matrix(old: int, new: int, centred: bool) -> np.ndarray:
    """Resampling along one axis as a matrix (new, old), found by transforming each unit sample.

    For the sizes of images a product with it is two to five times as fast as transforming them, and a linear layer is what
    methods with modified backward passes know.
    """
    spectrum = np.fft.rfft(np.eye(old), axis=0)
    kept = min(old, new) // 2 + 1
    spectrum = spectrum[:kept]
    if centred:
        shift = (old / new - 1) / 2  # of the first new sample, in old samples
        spectrum = spectrum * np.exp(2j * np.pi * shift * np.arange(kept) / old)[:, None]
    if min(old, new) % 2 == 0:
        # the highest wave of an even grid stands for two frequencies, of which the finer grid sees both
        spectrum[-1] *= 0.5 if new > old else 2.0
    matrix = np.fft.irfft(spectrum, n=new, axis=0) * (new / old)
    matrix.flags.writeable = False
    return matrix


class SincUpsample(nn.Module):
    """Twice as many samples along every spatial axis, by sinc interpolation.

    Args:
        centred: see `sinc_resample`.
    """

    def __init__(self, centred: bool) -> None:
        super().__init__()
        self.centred = centred

    def forward(self, x: Tensor) -> Tensor:
        return sinc_resample(x, [2 * int(n) for n in x.shape[2:]], centred=self.centred)
