"""What the three networks are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monai.networks.layers.factories import Conv, Dropout
from monai.networks.layers.utils import get_act_layer, get_norm_layer
from torch import nn

from voxplain.errors import InputError

Norm = str | tuple[str, Mapping[str, Any]] | None


def conv(
    dims: int, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, padding_mode: str = "zeros"
) -> nn.Module:
    """A convolution that keeps the size (halves it with stride 2)."""
    made: nn.Module = Conv[Conv.CONV, dims](
        inputs, outputs, kernel, stride=stride, padding=kernel // 2, padding_mode=padding_mode
    )
    return made


def norm_layer(norm: Norm, dims: int, channels: int) -> list[nn.Module]:
    """The normalisation that MONAI knows by this name; none for None."""
    if norm is None:
        return []
    try:
        return [get_norm_layer(norm, spatial_dims=dims, channels=channels)]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"norm: found {norm!r}, expected none or one of MONAI's, such as 'batch', 'instance' or "
            "('group', {'num_groups': 8})"
        ) from error


def act_layer(act: str) -> nn.Module:
    """MONAI's activation of this name."""
    made: nn.Module = get_act_layer(act)
    return made


def double_conv(dims: int, inputs: int, outputs: int, norm: Norm = None) -> nn.Sequential:
    """Twice convolution, normalisation (where there is one), ReLU."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [conv(dims, channels, outputs), *norm_layer(norm, dims, outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def dropout_layer(dims: int, share: float) -> list[nn.Module]:
    """Dropout of whole feature maps; none for 0.

    Raises:
        InputError: a share outside of [0, 1); with 1 nothing would pass, and no weight before it would learn.
    """
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share < 1:
        raise InputError(f"dropout: found {share!r}, expected a number from 0 up to, but not, 1")
    return [Dropout[Dropout.DROPOUT, dims](share)] if share else []
