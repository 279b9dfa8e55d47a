"""From file units to the network's intensities, per channel over the whole volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from voxplain.errors import InputError

if TYPE_CHECKING:
    from voxplain.model.preparation import Scale


def rescale(image: Any, scale: Scale | None, percentiles: tuple[float, float], case: str) -> Any:
    """The image (C, *S), a MONAI MetaTensor, in the network's units; see `Preparation`.

    Raises:
        InputError: a constant channel, or one without a positive maximum, which would be divided by zero.
    """
    if scale is None:
        return image
    from monai.transforms import NormalizeIntensity, ScaleIntensity, ScaleIntensityRange

    if isinstance(scale, tuple):
        return ScaleIntensityRange(*scale, b_min=0.0, b_max=1.0, clip=True)(image)
    for number, channel in enumerate(image.as_tensor()):
        _check(channel, scale, f"scale: {scale!r} of case {case}, channel {number}")
    if scale == "minmax":
        return ScaleIntensity(minv=0.0, maxv=1.0, channel_wise=True)(image)
    if scale == "percentile":
        return _between_percentiles(image, percentiles, case)
    if scale == "max":
        return image / image.amax((1, 2, 3), keepdim=True)
    return NormalizeIntensity(nonzero=scale == "zscore-nonzero", channel_wise=True)(image)


def background(image: Any, scale: Scale | None) -> Tensor:
    """The value of empty space, (C, 1, 1, 1): zero where zeros were left out of scaling, else the minimum."""
    values: Tensor = image.as_tensor()
    lowest = values.amin((1, 2, 3), keepdim=True)
    return torch.zeros_like(lowest) if scale == "zscore-nonzero" else lowest


def _check(channel: Tensor, scale: str, where: str) -> None:
    if scale == "max":
        if float(channel.max()) <= 0:
            raise InputError(
                f"{where}: the maximum is {float(channel.max()):g}, expected a positive one; use 'minmax'"
            )
        return
    values = channel[channel != 0] if scale == "zscore-nonzero" else channel
    if values.numel() == 0 or float(values.min()) == float(values.max()):
        found = (
            "only zeros"
            if values.numel() == 0
            else f"the same value {float(values.flatten()[0]):g} everywhere"
        )
        raise InputError(
            f"{where}: found {found}, which cannot be scaled; check the file, or use (low, high)"
        )


def _between_percentiles(image: Any, percentiles: tuple[float, float], case: str) -> Any:
    from monai.transforms import ScaleIntensityRange

    bounds = [np.percentile(channel.as_tensor().numpy(), percentiles) for channel in image]
    for number, (low, high) in enumerate(bounds):
        if low == high:
            raise InputError(
                f"scale: 'percentile' of case {case}, channel {number}: percentiles {percentiles} are both {low:g}; "
                "widen them (most of the image is one value), or use 'minmax'"
            )
    scaled = [
        ScaleIntensityRange(float(low), float(high), b_min=0.0, b_max=1.0, clip=True)(image[c : c + 1])
        for c, (low, high) in enumerate(bounds)
    ]
    out = image.clone()
    out[:] = torch.cat([part.as_tensor() for part in scaled])
    return out
