"""A classifier of lesions whose rule is known in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voxplain.errors import InputError
from voxplain.phantom.disease.anatomy import EXTENT
from voxplain.phantom.grid import make_grid

_CENTERS = ((-38.0, 0.0, 0.0), (38.0, 0.0, 0.0))  # mm: ventricle and nucleus
_OUTER, _INNER, _RIM = 70.0, 36.0, 3.0  # mm: the window ends within the body, and around each structure
_NARROW, _WIDE = 5.0, 13.0  # mm: standard deviations of the two Gaussians
_BORDER, _SOFT = 0.28, 0.03  # of the mean brightness: from where on a voxel counts as spot, and over how much


class SpotRule(nn.Module):
    """Says "diseased" by how many voxels are brighter than their surroundings, and by nothing else.

    With r the difference of two Gaussian means of the image (5 and 13 mm wide), over the image's mean in a fixed window w
    that leaves out ventricle, nucleus and the body's border, the amount is A = Σ w · σ((r − 0.28) / 0.03). The logit is
    (√A − middle) / gap times a gain: bias, gain and anatomy hardly enter.

    Args:
        shape: (*S) of images, which fill their field of view of 200 mm with axes towards R, A(, S).
        middle: √A half way between the classes.
        gap: half of the classes' distance, > 0.
        gain: the logit of a typical diseased subject.
    """

    window: Tensor

    def __init__(
        self, shape: Sequence[int], middle: float = 0.0, gap: float = 1.0, gain: float = 4.0
    ) -> None:
        super().__init__()
        if not gap > 0:
            raise InputError(f"gap: found {gap!r}, expected a positive number")
        self.middle, self.gap, self.gain = middle, gap, gain
        self.register_buffer("window", torch.from_numpy(_window(shape)))
        for axis, n in enumerate(shape):
            for name, sigma in (("narrow", _NARROW), ("wide", _WIDE)):
                self.register_buffer(f"{name}{axis}", _smoothing(n, sigma * n / EXTENT[axis]))

    @classmethod
    def fitted(cls, healthy: NDArray[np.float32], diseased: NDArray[np.float32], gain: float = 4.0) -> Self:
        """The rule with middle and gap of two groups of images (N, 1, *S), the second with lesions."""
        made = cls(healthy.shape[2:], gain=gain)
        means = [
            float(made.amount(torch.from_numpy(np.asarray(group, np.float32))).mean())
            for group in (healthy, diseased)
        ]
        if not means[1] > means[0]:
            raise InputError(
                f"diseased: found √A of {means[1]:.3g} on average, expected more than {means[0]:.3g}"
            )
        made.middle, made.gap = (means[0] + means[1]) / 2, (means[1] - means[0]) / 2
        return made

    def amount(self, x: Tensor) -> Tensor:
        """(N,) √A of images (N, 1, *S)."""
        image = x[:, 0]
        level = (self.window * image).flatten(1).sum(1) / self.window.sum()
        narrow, wide = self._smoothed(image, "narrow"), self._smoothed(image, "wide")
        stands_out = (narrow - wide) / level.clamp_min(1e-3).reshape(-1, *(1,) * self.window.ndim)
        counted = (self.window * torch.sigmoid((stands_out - _BORDER) / _SOFT)).flatten(1).sum(1)
        return (counted + 1e-3).sqrt()  # the root's slope is infinite at 0

    def logit(self, x: Tensor) -> Tensor:
        """(N,) positive for diseased."""
        return self.gain * (self.amount(x) - self.middle) / self.gap

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, *S) to (N, 2) logits of healthy and diseased, whose difference is `logit`."""
        half = self.logit(x)[:, None] / 2
        return torch.cat([-half, half], 1)

    def _smoothed(self, image: Tensor, name: str) -> Tensor:
        for axis in range(self.window.ndim):
            matrix = self.get_buffer(f"{name}{axis}")
            image = torch.tensordot(
                image, matrix, dims=([1], [1])
            )  # the axis goes last, the next one comes first
        return image


def _window(shape: Sequence[int]) -> NDArray[np.float32]:
    """(*S) in [0, 1]: within the body, without its structures."""
    points = make_grid(shape, extent=EXTENT).points()

    def beyond(center: Sequence[float], radius: float) -> NDArray[np.float64]:
        away = np.linalg.norm(points - np.reshape(center, (3,) + (1,) * len(shape)), axis=0)
        return np.asarray(1 / (1 + np.exp(-(away - radius) / _RIM)))

    out = 1 - beyond((0.0, 0.0, 0.0), _OUTER)
    for center in _CENTERS:
        out = out * beyond(center, _INNER)
    return out.astype(np.float32)


def _smoothing(count: int, sigma: float) -> Tensor:
    """(count, count) Gaussian means of a line, whose rows add up to 1."""
    index = torch.arange(count, dtype=torch.float32)
    weights = torch.exp(-0.5 * ((index[:, None] - index[None]) / sigma) ** 2)
    return weights / weights.sum(1, keepdim=True)
