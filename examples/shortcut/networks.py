"""The network of both: MONAI's U-Net with residual units, BatchNorm and ReLU, for one window that is the whole image."""

from __future__ import annotations

from collections.abc import Sequence

from monai.networks.nets import UNet

SMALL = (12, 24, 32, 48)
CLASSES = 14  # shortcut.patients.CLASSES; a number, since a study imports this file alone


def unet(widths: Sequence[int] = SMALL, classes: int = CLASSES, units: int = 1) -> UNet:
    """(N, 1, *spatial) in [0, 1], axes divisible by 8, to one logit per class.

    Args:
        widths: channels of the four levels, the first at half the image's resolution.
        classes: how many logits.
        units: convolutions in a residual unit; 0 for plain convolutions.
    """
    return UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=classes,
        channels=tuple(widths),
        strides=(2,) * (len(widths) - 1),
        num_res_units=units,
        act="relu",
        norm="batch",
    )
