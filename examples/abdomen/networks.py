"""The network of the example, and what its classes are made of."""

from __future__ import annotations

from monai.networks.nets import UNet

WINDOW_HU = (-200.0, 300.0)  # scaled to 0 to 1
# each class from labels of TotalSegmentator
LABELS = {
    "spleen": (1,),
    "kidney right": (2,),
    "kidney left": (3,),
    "gallbladder": (4,),
    "liver": (5,),
    "stomach": (6,),
    "lungs": (10, 11, 12, 13, 14),
    "bowel": (18, 19, 20),
    "vertebrae": tuple(range(26, 51)),
    "aorta": (52,),
    "back muscles": (86, 87),
}
CLASSES = ("background", *LABELS)


def unet() -> UNet:
    """(N, 1, X, Y, Z) in [0, 1], axes divisible by 8, to one logit per class."""
    return UNet(
        spatial_dims=3,
        in_channels=1,
        out_channels=len(CLASSES),
        channels=(12, 24, 48, 64),
        strides=(2, 2, 2),
        num_res_units=1,
        act="relu",
        norm="batch",
    )
