"""Where the windows lie, and the weights with which their outputs are blended."""

from __future__ import annotations

from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from voxplain.errors import InputError
from voxplain.model.windows import Windows

Slices = tuple[slice, ...]


class Layout:
    """The windows over one image: padding, positions, and normalised blending weights.

    With ``z_w`` the output of window ``w``, the stitched output at voxel ``v`` is
    ``Σ_w ω_w(v) z_w(v)`` where the weights ``ω_w`` sum to one over the windows that hold ``v``:
    the same as MONAI's ``sliding_window_inference``, or nnU-Net's, by the user's choice.

    Args:
        shape: spatial shape of the image.
        windows: the user's choice.
        dtype: type of the weights; double where exactness is proved.
    """

    def __init__(self, shape: tuple[int, ...], windows: Windows, dtype: torch.dtype = torch.float32) -> None:
        self.shape = shape
        self.windows = windows
        self.dtype = dtype
        self.roi = windows.sizes(shape)
        missing = [max(r - s, 0) for r, s in zip(self.roi, shape, strict=True)]
        self.before = tuple(m // 2 for m in missing)
        self.after = tuple(m - b for m, b in zip(missing, self.before, strict=True))
        self.padded = tuple(s + m for s, m in zip(shape, missing, strict=True))
        self._check_padding(missing)
        self.slices: list[Slices] = self._evenly() if windows.placement == "even" else self._densely()

    def _densely(self) -> list[Slices]:
        # here, since MONAI takes seconds to import, which the driver of a study need not pay
        from monai.data.utils import dense_patch_slices

        # MONAI's rule: a window as large as the image does not move; others move by at least one voxel
        steps = [
            r if r == p else max(int(r * (1 - o)), 1)
            for r, p, o in zip(self.roi, self.padded, self.windows.overlaps(len(self.shape)), strict=True)
        ]
        return list(dense_patch_slices(self.padded, self.roi, steps, return_slice=True))

    def _evenly(self) -> list[Slices]:
        starts = [
            _even_starts(p, r, o)
            for p, r, o in zip(self.padded, self.roi, self.windows.overlaps(len(self.shape)), strict=True)
        ]
        return [
            tuple(slice(a, a + r) for a, r in zip(corner, self.roi, strict=True))
            for corner in product(*starts)
        ]

    def _check_padding(self, missing: list[int]) -> None:
        mode = self.windows.padding
        if mode in ("reflect", "circular") and any(
            a >= s + (mode == "circular") for a, s in zip(self.after, self.shape, strict=True)
        ):
            raise InputError(
                f"padding: an image of {self.shape} cannot be padded by {tuple(missing)} in mode {mode!r}; "
                "use 'constant' or 'replicate', or a smaller roi"
            )

    def __len__(self) -> int:
        return len(self.slices)

    @property
    def is_padded(self) -> bool:
        return self.padded != self.shape

    @cached_property
    def importance(self) -> Tensor:
        """Unnormalised blending weights of one window, (*roi)."""
        if len(self) == 1:
            return torch.ones(self.roi, dtype=self.dtype)
        if self.windows.blend == "gaussian-filter":
            return torch.from_numpy(_filtered_point(self.roi, self.windows.sigma_scale)).to(self.dtype)
        from monai.data.utils import compute_importance_map

        raw = compute_importance_map(
            self.roi,
            mode=self.windows.blend,
            sigma_scale=self.windows.sigma_scale,
            device="cpu",
            dtype=self.dtype,
        )
        return torch.as_tensor(raw, dtype=self.dtype).reshape(self.roi)

    @cached_property
    def total(self) -> Tensor:
        """Sum of the windows' weights at every voxel, (*padded)."""
        total = torch.zeros(self.padded, dtype=self.dtype)
        for where in self.slices:
            total[where] += self.importance
        return total

    def weight(self, window: int) -> Tensor:
        """Normalised weights ``ω_w`` of a window, (*roi)."""
        return self.importance / self.total[self.slices[window]]

    def pad(self, image: Tensor) -> Tensor:
        """(C, *shape) -> (C, *padded)."""
        if not self.is_padded:
            return image
        amounts = [n for pair in zip(self.before[::-1], self.after[::-1], strict=True) for n in pair]
        mode = self.windows.padding
        if mode == "constant":
            return F.pad(image, amounts, mode, self.windows.padding_value)
        return F.pad(image[None], amounts, mode)[0]

    def unpad_gradient(self, gradient: Tensor) -> Tensor:
        """The adjoint of `pad`: (C, *padded) -> (C, *shape)."""
        if not self.is_padded:
            return gradient
        if self.windows.padding == "constant":
            return self.unpad(gradient)
        image = torch.zeros((gradient.shape[0], *self.shape), dtype=gradient.dtype, requires_grad=True)
        with torch.enable_grad():
            padded = self.pad(image)
        return torch.autograd.grad(padded, image, gradient)[0]

    def unpad(self, array: Tensor) -> Tensor:
        """(..., *padded) -> (..., *shape)."""
        inner = tuple(slice(b, b + s) for b, s in zip(self.before, self.shape, strict=True))
        index: tuple[Any, ...] = (..., *inner)
        return array[index]

    def overlap_with(self, window: int) -> tuple[Slices, Slices] | None:
        """The part of the image that a window sees: (slices of the image, the same slices of the window)."""
        in_image, in_window = [], []
        for where, before, size in zip(self.slices[window], self.before, self.shape, strict=True):
            start, stop = max(where.start - before, 0), min(where.stop - before, size)
            if stop <= start:
                return None
            in_image.append(slice(start, stop))
            in_window.append(slice(start - where.start + before, stop - where.start + before))
        return tuple(in_image), tuple(in_window)


def _even_starts(size: int, window: int, overlap: float) -> list[int]:
    """Where windows begin along one axis: nnU-Net's rule, as few as overlap enough, evenly spread."""
    # rounded, since one minus (one minus a step) is not always that step
    step = window * round(1 - overlap, 12)
    count = int(np.ceil((size - window) / step)) + 1
    if count == 1:
        return [0]
    return [int(np.round((size - window) / (count - 1) * i)) for i in range(count)]


def _filtered_point(shape: tuple[int, ...], sigma_scale: float) -> np.ndarray:
    """nnU-Net's weights, one at their centre, in double instead of its half precision (see docs/nnunet.md)."""
    from scipy.ndimage import gaussian_filter

    point = np.zeros(shape)
    point[tuple(n // 2 for n in shape)] = 1
    weights = np.asarray(gaussian_filter(point, [n * sigma_scale for n in shape], mode="constant"))
    weights /= weights.max()
    weights[weights == 0] = weights[weights > 0].min()
    return weights
