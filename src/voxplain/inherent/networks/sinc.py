"""Sinc interpolation: resampling that is exact for band-limited periodic signals."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


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
    >>> sinc_resample(x, (8,)).round(decimals=4).abs().sum()
    tensor(4.8284)
    """
    with torch.autocast(x.device.type, enabled=False):
        full = x if x.dtype == torch.float64 else x.float()
        for axis, n in enumerate(size, start=2):
            full = _along(full, axis, n, centred)
    return full.to(x.dtype)


def _along(x: Tensor, axis: int, new: int, centred: bool) -> Tensor:
    old = x.shape[axis]
    if new == old:
        return x
    spectrum = torch.fft.rfft(x.movedim(axis, -1))
    kept = min(old, new) // 2 + 1
    factor = torch.ones(kept, dtype=spectrum.dtype, device=x.device)
    if centred:
        shift = (old / new - 1) / 2  # of the first new sample, in old samples
        waves = torch.arange(kept, device=x.device, dtype=x.dtype) / old
        factor = torch.polar(torch.ones_like(waves), 2 * torch.pi * shift * waves)
    if min(old, new) % 2 == 0:
        # the highest wave of an even grid stands for two frequencies, of which the finer grid sees both
        edge = torch.ones(kept, dtype=x.dtype, device=x.device)
        edge[-1] = 0.5 if new > old else 2.0
        factor = factor * edge
    resampled: Tensor = torch.fft.irfft(spectrum[..., :kept] * factor, n=new) * (new / old)
    return resampled.movedim(-1, axis)


class SincUpsample(nn.Module):
    """Twice as many samples along every spatial axis, by sinc interpolation.

    Args:
        centred: see `sinc_resample`.
    """

    def __init__(self, centred: bool) -> None:
        super().__init__()
        self.centred = centred

    def forward(self, x: Tensor) -> Tensor:
        return sinc_resample(x, [2 * n for n in x.shape[2:]], centred=self.centred)
