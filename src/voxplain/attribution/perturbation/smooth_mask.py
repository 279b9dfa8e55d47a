"""Smooth masks with few parameters, and images that they hide by degrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
import torch
from torch import Tensor
from torch.nn import functional as F

from voxplain.engine.canvas import Canvas
from voxplain.engine.layout import Slices

# How sharply the soft maximum prefers the largest value, and how far the kernel reaches in units of its width.
SHARPNESS = 20.0
REACH = 1.75


@dataclass(frozen=True)
class SmoothMasks:
    """Masks in [0, 1] made from values at the nodes of a grid by a soft max-convolution.

    Fong et al. 2019, eq. 6: ``M(u) = smax_v k(u − v) m(v)`` with ``smax a = Σ a e^{βa} / Σ e^{βa}``, here one axis
    after the other (k is a product over the axes, and so is the maximum's) and then linear between the nodes. The
    kernel ``k(d) = exp(−4 max(|d|/width − ½, 0)²)`` is flat, so that a full grid gives a full mask, and falls to 1/e
    at ``d = width``: nothing finer can be drawn.

    Attributes:
        shape: of the image, (*spatial).
        width: of the kernel along each axis, in voxels.
    """

    shape: tuple[int, ...]
    width: tuple[float, ...]

    @property
    def steps(self) -> tuple[int, ...]:
        """Voxels between nodes: half the width, at least one."""
        return tuple(max(int(w / 2), 1) for w in self.width)

    @property
    def nodes(self) -> tuple[int, ...]:
        """Nodes along each axis; the last lies at or behind the image's end."""
        return tuple(-(-(s - 1) // step) + 1 for s, step in zip(self.shape, self.steps, strict=True))

    def __call__(self, values: Tensor) -> Tensor:
        """Values at the nodes (G, *nodes) -> masks (G, *shape), differentiable."""
        for axis, (step, width) in enumerate(zip(self.steps, self.width, strict=True), start=1):
            values = _soft_maximum(values, axis, step / width)
        size = [(n - 1) * step + 1 for n, step in zip(self.nodes, self.steps, strict=True)]
        mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(self.shape)]
        full = F.interpolate(values[None], size=size, mode=mode, align_corners=True)[0]
        return full[(slice(None), *(slice(0, s) for s in self.shape))]


def _soft_maximum(values: Tensor, axis: int, distance: float) -> Tensor:
    """Soft maximum of k(d) · value over the neighbours along an axis, ``distance`` widths apart."""
    radius = int(REACH / distance)
    offsets = torch.arange(-radius, radius + 1, dtype=values.dtype)
    kernel = torch.exp(-4 * (offsets.abs() * distance - 0.5).clamp_min(0) ** 2)
    moved = values.movedim(axis, -1)
    around = F.pad(moved, (radius, radius)).unfold(-1, len(kernel), 1) * kernel
    return (around * torch.softmax(SHARPNESS * around, dim=-1)).sum(-1).movedim(-1, axis)


@dataclass(frozen=True)
class Faded:
    """The image between levels of hiding: draw ``t`` is the image behind its own mask. A `Sampler`.

    At ``m = 1`` a voxel shows the last level (the image), at ``m = 0`` the first; in between, the two nearest levels
    are mixed.

    Attributes:
        levels: (L, C, *spatial), L at least 2.
        masks: target -> (*spatial) in [0, 1].
    """

    canvas: Canvas
    levels: Tensor
    masks: dict[int, Tensor]

    def __len__(self) -> int:
        return len(self.masks)

    def input(self, draw: int, where: Slices) -> Tensor:
        return self.canvas.box(where, lambda box: self._mixed(draw, box))

    def factor(self, draw: int, where: Slices) -> float:
        return 1.0

    def _mixed(self, draw: int, box: Slices) -> Tensor:
        lower, upper, share = self._between(draw, box)
        return torch.lerp(lower, upper, share)

    def slope(self, draw: int) -> Tensor:
        """∂input/∂m at every voxel, (C, *spatial)."""
        lower, upper, _ = self._between(draw, tuple(slice(0, s) for s in self.levels.shape[2:]))
        return (len(self.levels) - 1) * (upper - lower)

    def _between(self, draw: int, box: Slices) -> tuple[Tensor, Tensor, Tensor]:
        """The levels below and above (C, *box) and the place between them (*box)."""
        part = self.levels[(slice(None), slice(None), *box)]
        position = self.masks[draw][box] * (len(part) - 1)
        below = position.long().clamp(max=len(part) - 2)
        index = below.expand(1, *part.shape[1:])
        return part.gather(0, index)[0], part.gather(0, index + 1)[0], position - below


def blurs(image: Tensor, sigma: Sequence[float], levels: int) -> Tensor:
    """The image (C, *spatial) at ``levels`` widths of Gaussian blur, from ``sigma`` voxels per axis down to none."""
    array = image.numpy()
    out = [
        np.stack(
            [
                scipy.ndimage.gaussian_filter(c, np.asarray(sigma) * k / (levels - 1), mode="nearest")
                for c in array
            ]
        )
        for k in range(levels - 1, 0, -1)
    ]
    return torch.stack([*(torch.from_numpy(b).to(image.dtype) for b in out), image])
