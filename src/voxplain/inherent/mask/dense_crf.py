"""A fully connected conditional random field, solved by mean field; every pair of voxels has a say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.maps import Bools, Floats, Spacing
from voxplain.inherent.mask.refine import Refinement

Doubles = NDArray[np.float64]
_REACH = 4.0  # standard deviations at which a Gaussian ends


@dataclass(frozen=True)
class DenseCrf(Refinement):
    """Mean field of a dense CRF with Gaussian pairs (Krähenbühl & Koltun, 2011), for two labels.

    The log-odds of a voxel start at ``(score − threshold) / temperature`` and each round become
    ``start + Σ_m w_m (2 M_m q − 1)``, with q the probability of "inside" and ``M_m q`` its mean over all other voxels,
    weighted by a kernel: one of distance (smoothness), and per channel one of distance and of the difference in intensity
    (appearance). Appearance kernels are filtered on a grid of intensities (Paris & Durand, 2006), which is exact where
    intensities lie on the grid.

    Args:
        smoothness: weight of the kernel of distance.
        smooth_mm: its standard deviation.
        appearance: weight of the kernels of intensity, shared by the channels that vary.
        near_mm: their standard deviation in distance.
        alike: their standard deviation in intensity, as a share of each channel's range.
        temperature: in the score's units; None is the score's standard deviation over the case.
        rounds: of the mean field.
        levels: of the grid of intensities.
    """

    smoothness: float = 1.0
    smooth_mm: float = 1.5
    appearance: float = 2.0
    near_mm: float = 8.0
    alike: float = 0.1
    temperature: float | None = None
    rounds: int = 10
    levels: int = 32
    name: ClassVar[str] = "dense CRF"

    def __post_init__(self) -> None:
        for name in ("smooth_mm", "near_mm", "alike"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name}: found {getattr(self, name)}, expected a positive number")
        if self.temperature is not None and self.temperature <= 0:
            raise InputError(f"temperature: found {self.temperature}, expected a positive number or None")
        if self.rounds < 1 or self.levels < 2:
            raise InputError(f"rounds, levels: found {self.rounds}, {self.levels}, expected at least 1 and 2")

    def refined(self, mask: Bools, score: Floats, threshold: float, image: Floats, spacing: Spacing) -> Bools:
        return np.asarray(self.probability(score, threshold, image, spacing) > 0.5)

    def probability(self, score: Floats, threshold: float, image: Floats, spacing: Spacing) -> Doubles:
        """(*S) probability of "inside" after the last round, in [0, 1]."""
        from scipy.special import expit

        spread = float(score[np.isfinite(score)].std()) or 1.0
        start = (score.astype(np.float64) - threshold) / (self.temperature or spread)
        means = [(self.smoothness, smooth_mean(start.shape, self.smooth_mm, spacing))]
        varied = [
            c for c in image.astype(np.float64) if np.ptp(c) > 0
        ]  # a constant channel tells nothing apart
        for channel in varied:
            share = self.appearance / len(varied)
            means.append((share, alike_mean(channel, self.near_mm, self.alike, self.levels, spacing)))
        q = expit(start)
        for _ in range(self.rounds):
            q = expit(start + sum(weight * (2 * mean(q) - 1) for weight, mean in means))
        return np.asarray(q)


def smooth_mean(shape: tuple[int, ...], sigma: float, spacing: Spacing) -> Callable[[Doubles], Doubles]:
    """The mean over all other voxels of the image, weighted by ``exp(−d² / 2σ²)``, d and σ in mm."""
    blur, own = _blur(sigma, spacing)
    weight = blur(np.ones(shape)) - own

    def mean(q: Doubles) -> Doubles:
        return _ratio(blur(q) - own * q, weight)

    return mean


def alike_mean(
    channel: Doubles, sigma: float, alike: float, levels: int, spacing: Spacing
) -> Callable[[Doubles], Doubles]:
    """The mean over all other voxels, weighted by ``exp(−d² / 2σ² − Δ² / 2a²)``, Δ the difference in intensity.

    Args:
        channel: (*S), not constant.
        alike: a, as a share of the channel's range.
        levels: of the grid of intensities from its minimum to its maximum.
    """
    blur, own = _blur(sigma, spacing)
    low, span = channel.min(), float(np.ptp(channel))
    place = (channel - low) / span * (levels - 1)
    lower = np.minimum(place.astype(np.int64), levels - 2)
    part = place - lower
    steps = np.arange(levels) / (levels - 1)
    kernel = np.exp(-0.5 * ((steps[:, None] - steps[None]) / alike) ** 2)
    # what a voxel gives to itself on the way onto the grid and back
    pair = kernel[lower, lower + 1]
    itself = own * (kernel[lower, lower] * ((1 - part) ** 2 + part**2) + 2 * part * (1 - part) * pair)

    def total(q: Doubles) -> Doubles:
        summed = -itself * q
        for k in range(levels):  # level by level, so that no grid of the whole image is held
            onto = np.where(lower == k, 1 - part, np.where(lower + 1 == k, part, 0.0))
            summed += blur(onto * q) * ((1 - part) * kernel[lower, k] + part * kernel[lower + 1, k])
        return np.asarray(summed)

    weight = total(np.ones_like(channel))
    return lambda q: _ratio(total(q), weight)


def _blur(sigma: float, spacing: Spacing) -> tuple[Callable[[Doubles], Doubles], float]:
    """A Gaussian that sees nothing outside the image, and its weight at distance zero."""
    from scipy.ndimage import gaussian_filter

    widths = [sigma / s for s in spacing]

    def blur(q: Doubles) -> Doubles:
        return np.asarray(gaussian_filter(q, widths, mode="constant", truncate=_REACH))

    size = [2 * int(_REACH * w + 0.5) + 1 for w in widths]
    own = 1.0
    for width, n in zip(widths, size, strict=True):
        line = np.exp(-0.5 * ((np.arange(n) - n // 2) / width) ** 2)
        own /= line.sum()
    return blur, float(own)


def _ratio(total: Doubles, weight: Doubles) -> Doubles:
    """A half where no other voxel weighs anything: nothing is known, nothing is said."""
    enough = weight > 1e-12
    return np.where(enough, np.clip(total / np.where(enough, weight, 1.0), 0, 1), 0.5)
