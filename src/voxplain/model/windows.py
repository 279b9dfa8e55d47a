"""How a network is slid over an image that is larger than its window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from voxplain.errors import InputError

Blend = Literal["constant", "gaussian", "gaussian-filter"]
Placement = Literal["dense", "even"]
Padding = Literal["constant", "reflect", "replicate", "circular"]


@dataclass(frozen=True)
class Windows:
    """A sliding window, with the meaning that MONAI's ``SlidingWindowInferer`` gives each field, or nnU-Net.

    Args:
        roi: window size in voxels of the prepared image, one number or one per axis; ``None`` is the whole
            image in one pass; 0 or -1 in a tuple is the whole extent of that axis.
        overlap: share of the window that neighbours have in common, in [0, 1), one number or one per axis.
        blend: weights of overlapping windows: all equal, or a Gaussian about the window's centre: MONAI's
            ``"gaussian"``, at least 0.001 everywhere, or nnU-Net's ``"gaussian-filter"``, a filtered point at voxel
            ``size // 2``.
        sigma_scale: standard deviation of that Gaussian as a share of the window.
        padding: what surrounds an image that is smaller than the window.
        padding_value: the value of constant padding, in the prepared image's units.
        placement: ``"dense"`` as MONAI does: steps of ``1 - overlap`` windows, the last one moved back into the image;
            ``"even"`` as nnU-Net does: as many windows, evenly spread.

    Raises:
        InputError: a size, overlap or mode that cannot be.
    """

    roi: int | tuple[int, ...] | None = None
    overlap: float | tuple[float, ...] = 0.25
    blend: Blend = "constant"
    sigma_scale: float = 0.125
    padding: Padding = "constant"
    padding_value: float = 0.0
    placement: Placement = "dense"

    def __post_init__(self) -> None:
        if self.roi is not None:
            sizes = (self.roi,) if isinstance(self.roi, int) else tuple(self.roi)
            if not sizes or (isinstance(self.roi, int) and self.roi < 1) or any(s < -1 for s in sizes):
                raise InputError(
                    f"roi: found {self.roi}, expected positive voxel counts such as 96 or (96, 96, 64)"
                )
        overlaps = (self.overlap,) if isinstance(self.overlap, (int, float)) else tuple(self.overlap)
        if any(not 0 <= o < 1 for o in overlaps):
            raise InputError(f"overlap: found {self.overlap}, expected a share in [0, 1) such as 0.25")
        if self.blend not in ("constant", "gaussian", "gaussian-filter"):
            raise InputError(
                f"blend: found {self.blend!r}, expected 'constant', 'gaussian' or 'gaussian-filter'"
            )
        if self.placement not in ("dense", "even"):
            raise InputError(f"placement: found {self.placement!r}, expected 'dense' or 'even'")
        if self.padding not in ("constant", "reflect", "replicate", "circular"):
            raise InputError(
                f"padding: found {self.padding!r}, expected 'constant', 'reflect', 'replicate' or 'circular'"
            )
        if self.sigma_scale <= 0:
            raise InputError(
                f"sigma_scale: found {self.sigma_scale}, expected a positive share such as 0.125"
            )

    def sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Window size on an image of ``shape`` (spatial), which may be larger than the image."""
        if self.roi is None:
            return shape
        roi = (self.roi,) * len(shape) if isinstance(self.roi, int) else tuple(self.roi)
        if len(roi) != len(shape):
            raise InputError(
                f"roi: found {len(roi)} sizes {roi} for an image with {len(shape)} spatial axes {shape}"
            )
        return tuple(r if r > 0 else s for r, s in zip(roi, shape, strict=True))

    def overlaps(self, dims: int) -> tuple[float, ...]:
        """Overlap per axis."""
        if isinstance(self.overlap, (int, float)):
            return (float(self.overlap),) * dims
        if len(self.overlap) != dims:
            raise InputError(
                f"overlap: found {len(self.overlap)} values {self.overlap} for {dims} spatial axes"
            )
        return tuple(self.overlap)
