"""All networks of the zoo by name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import nn
from vessels.networks import VesselUNet
from zoo import monai_networks, pretrained
from zoo.convnext import ConvNeXt
from zoo.draw import drawn
from zoo.entry import SIDES, WIDE, Entry, blobs
from zoo.parametrized import Parametrized
from zoo.resnet import ResNet18

from voxplain.inherent import GPUNet

PICTURE = {2: SIDES[2]}


def _maker(
    make: Callable[[int], nn.Module],
    shapes: dict[int, tuple[int, ...]],
    channels: int,
    head: str | int | None,
) -> Callable[[int, int], nn.Module]:
    def factory(dims: int, seed: int) -> nn.Module:
        # statistics from pictures of every contrast, faint ones too, else deep layers are dead for those
        pictures = [blobs((channels, *shapes[dims]), i) * (1 - i / 12) for i in range(12)]
        images = torch.from_numpy(np.stack(pictures)).float()
        return drawn(lambda: make(dims), images, seed, head)

    return factory


def entry(
    make: Callable[[int], nn.Module],
    task: str = "segmentation",
    *,
    channels: int = 1,
    head: str | int | None = None,
    shapes: dict[int, tuple[int, ...]] | None = None,
    wide: dict[int, tuple[int, ...]] | None = None,
    slow: tuple[int, ...] = (),
) -> Entry:
    """A network of random weights."""
    shapes = shapes or dict(SIDES)
    wide = {} if task == "classification" else (wide or {d: WIDE[d] for d in shapes})
    return Entry(_maker(make, shapes, channels, head), task, channels, head, shapes, wide, slow)


ZOO: dict[str, Entry] = {
    **{
        name: entry(
            make,
            "classification" if name in monai_networks.CLASSIFIERS else "segmentation",
            channels=monai_networks.CONTRASTS.get(name, 1),
            head=monai_networks.HEADS.get(name),
            shapes=monai_networks.SHAPES.get(name),
            wide=monai_networks.WIDE.get(name),
            slow=monai_networks.SLOW.get(name, ()),
        )
        for name, make in monai_networks.MAKERS.items()
    },
    "resnet18_torchvision": entry(lambda _: ResNet18(), "classification", channels=3, shapes=PICTURE),
    "convnext": entry(ConvNeXt, "classification"),
    # a classifier that explains itself; a pool that chooses places is not complete for rules of differences, which they say
    "gp_unet": entry(
        lambda d: GPUNet(2, 3, spatial_dims=d, widths=(6, 8, 12), norm="batch", pool="mean"),
        "classification",
        channels=2,
    ),
    "parametrized": entry(Parametrized),
    "vessel_unet": entry(VesselUNet, head=0),
    "vessel_unet_mss": entry(partial(VesselUNet, supervised=True), head=0),
    "vessel_unet_attention": entry(partial(VesselUNet, gated=True)),
    **{
        name: Entry(
            pretrained.make(name),
            channels=3 if name == "retina_wnet" else 1,
            shapes=shapes,
            wide=wide,
            like=like,
            data=pretrained.WEIGHTS[name],
        )
        for name, like, shapes, wide in (
            ("meshnet3", pretrained.temple, {3: (16, 16, 16)}, {3: (24, 16, 16)}),
            ("meshnet18", pretrained.temple, {3: (12, 12, 12)}, {}),
            ("brain_mask_unet", pretrained.crown, {3: (16, 16, 16)}, {3: (24, 16, 16)}),
            ("retina_wnet", pretrained.fundus, {2: (32, 32)}, {2: (48, 32)}),
        )
    },
}
