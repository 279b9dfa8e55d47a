"""The preparation of images, as settings."""

from __future__ import annotations

from typing import Literal

from voxplain.settings.fields import Orientation, Scale, Size, Spacing
from voxplain.settings.section import Section, setting


class PrepareSettings(Section):
    """The steps from the file to the network, in this order; all are undone for the maps."""

    orientation: Orientation = setting(None, "axis codes such as RAS or LIA")
    spacing: Spacing = setting(None, "voxel size, one number or one per axis", "mm")
    size: Size = setting(None, "a fixed grid instead of a spacing, one number or one per axis", "voxels")
    scale: Scale = setting(
        None,
        "intensities per channel: minmax, percentile, zscore, zscore-nonzero, max, or LOW,HIGH to [0, 1]",
        "the image's",
    )
    percentiles: tuple[float, float] = setting((5.0, 95.0), "the two of scale: percentile", "%")
    crop: Literal["foreground"] | None = setting(None, "keep the box around what differs from the background")
    margin: int = setting(0, "around that box", "voxels", ge=0)
    divisible: int | None = setting(None, "pad every axis to a multiple of this", "voxels", ge=1)
