"""A synthetic image as a spectrum, and the small random movements under which it has to hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

# A value at the very edge of its range would have an infinite logit.
MARGIN = 1e-3


class Painting:
    """An image x = low + (high − low) · sigmoid(offset + M · irfftn(θ / f)) of a learnable spectrum θ.

    Olah et al. 2017, "Feature visualization", carried over to any number of axes: the transform runs over all
    spatial axes, and frequencies f are physical, so that voxels that are not cubes do not favour an axis. Dividing
    by f gives all scales of an image the same pace. M gives the channels the correlations that they have in the
    prepared image.

    Args:
        image: (C, *spatial) the prepared image: its size, the values to start from, and the channels' correlations.
        low, high: (C,) bounds of the values.
        spacing: of the voxels.
        decorrelate: whether M is used.
        contrast: standard deviation of the starting noise, in logits.
        rng: of the starting noise.
    """

    def __init__(
        self,
        image: Tensor,
        low: Tensor,
        high: Tensor,
        spacing: Sequence[float],
        *,
        decorrelate: bool,
        contrast: float,
        rng: np.random.Generator,
    ) -> None:
        self.shape = tuple(image.shape[1:])
        column = (-1, *(1,) * len(self.shape))
        self.low, self.high = low.reshape(column).to(image), high.reshape(column).to(image)
        mean = image.flatten(1).mean(1).reshape(column)
        share = (mean - self.low) / (self.high - self.low).clamp_min(torch.finfo(image.dtype).tiny)
        self.offset = torch.logit(share.clamp(MARGIN, 1 - MARGIN))
        self.mix = _mixing(image) if decorrelate and image.shape[0] > 1 else None
        self.scale = _pink(self.shape, spacing).to(image.dtype)
        noise = rng.standard_normal((image.shape[0], *self.scale.shape, 2), dtype=np.float64)
        self.spectrum = (contrast * torch.from_numpy(noise)).to(image.dtype).requires_grad_()

    def image(self) -> Tensor:
        """(C, *spatial), differentiable with respect to ``spectrum``."""
        modes = torch.view_as_complex(self.spectrum) * self.scale
        axes = tuple(range(1, len(self.shape) + 1))
        raw = torch.fft.irfftn(modes, s=self.shape, dim=axes, norm="ortho")
        if self.mix is not None:
            raw = torch.tensordot(self.mix, raw, dims=1)
        return self.low + (self.high - self.low) * bounded(self.offset + raw)


class _Bounded(torch.autograd.Function):
    """The sigmoid, from whose flat ends there is a way back.

    A value that overshot to the wrong bound would stay there for ever, since the sigmoid's slope is zero. Where a
    descent leads back to the middle the slope of the middle, 1/4, is used: a positive factor, so that the direction
    stays one of descent.
    """

    @staticmethod
    def forward(ctx: Any, raw: Tensor) -> Tensor:
        ctx.save_for_backward(raw)
        return torch.sigmoid(raw)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (raw,) = ctx.saved_tensors
        share = torch.sigmoid(raw)
        slope = torch.where(gradient * raw > 0, torch.full_like(raw, 0.25), share * (1 - share))
        return gradient * slope


def bounded(raw: Tensor) -> Tensor:
    """Logits as shares in (0, 1), for descents (see `_Bounded`)."""
    return cast("Tensor", _Bounded.apply(raw))  # type: ignore[no-untyped-call]


def _pink(shape: tuple[int, ...], spacing: Sequence[float]) -> Tensor:
    """1 / frequency on the half spectrum, such that unit normal modes make an image of unit variance."""
    axes = [np.fft.fftfreq(n, s) for n, s in zip(shape[:-1], spacing[:-1], strict=True)]
    axes.append(np.fft.rfftfreq(shape[-1], spacing[-1]))
    grid = np.sqrt(sum(f**2 for f in np.meshgrid(*axes, indexing="ij", sparse=True)))
    lowest = 1 / max(n * s for n, s in zip(shape, spacing, strict=True))
    scale = 1 / np.maximum(grid, lowest)
    # a mode stands for itself and its mirror image, except in the planes that are their own mirror image
    copies = np.full(scale.shape[-1], 2.0)
    copies[0] = 1
    if shape[-1] % 2 == 0:
        copies[-1] = 1
    # modes have variance 2: their real and imaginary parts have 1 each
    variance = 2 * float((scale**2 * copies).sum()) / float(np.prod(shape))
    # in these planes the transform averages a mode with its mirror image, which halves the power
    scale = scale * np.where(copies == 1, np.sqrt(2), 1)
    return torch.from_numpy(scale / np.sqrt(variance))


def _mixing(image: Tensor) -> Tensor:
    """(C, C) symmetric root of the channels' correlation matrix, so that independent channels become like these."""
    flat = image.flatten(1).double()
    flat = flat - flat.mean(1, keepdim=True)
    deviation = flat.norm(dim=1).clamp_min(torch.finfo(torch.float64).tiny)
    correlation = flat @ flat.T / deviation[:, None] / deviation[None]
    correlation.fill_diagonal_(1.0)
    values, vectors = torch.linalg.eigh(correlation)
    # channels that are copies of each other would leave no freedom to some direction
    values = values.clamp_min(0.01)
    root: Tensor = vectors * values.sqrt() @ vectors.T
    return root.to(image.dtype)


class Adam:
    """Kingma & Ba 2014, algorithm 1, on one tensor, whose slopes are measured in their root mean square.

    Modes whose slope stays below ``epsilon`` of that move less than the others: what is rounding alone would be taken
    for a direction otherwise. (PyTorch's own optimiser takes seconds to import.)
    """

    def __init__(self, value: Tensor, rate: float, epsilon: float = 1e-2) -> None:
        self.value, self.rate, self.epsilon = value, rate, epsilon
        self.first, self.second = torch.zeros_like(value), torch.zeros_like(value)
        self.steps = 0

    def step(self, slope: Tensor) -> None:
        """Move the tensor against the slope."""
        self.steps += 1
        slope = slope / slope.square().mean().sqrt().clamp_min(torch.finfo(slope.dtype).tiny)
        self.first.lerp_(slope, 0.1)
        self.second.lerp_(slope.square(), 0.001)
        mean, square = self.first / (1 - 0.9**self.steps), self.second / (1 - 0.999**self.steps)
        with torch.no_grad():
            self.value -= self.rate * mean / (square.sqrt() + self.epsilon)


@dataclass(frozen=True)
class Movement:
    """A small random movement of an image: whole voxels round the edges, rotation and zoom about the centre.

    Args:
        jitter: voxels, at most, along every axis.
        rotate: degrees, at most, about a random axis (in 2-D about the one that there is).
        zoom: share by which sizes change, at most.
    """

    jitter: int
    rotate: float
    zoom: float

    def __call__(self, image: Tensor, spacing: Sequence[float], rng: np.random.Generator) -> Tensor:
        """(C, *spatial) -> the same shape, differentiable; the image itself where nothing moves."""
        dims = image.dim() - 1
        shifts = rng.integers(-self.jitter, self.jitter + 1, size=dims)
        angle = np.deg2rad(rng.uniform(-self.rotate, self.rotate))
        axis = rng.standard_normal(3)
        size = 1 + rng.uniform(-self.zoom, self.zoom)
        if self.jitter:
            image = torch.roll(image, tuple(int(s) for s in shifts), tuple(range(1, dims + 1)))
        if not self.rotate and not self.zoom:
            return image
        matrix = rotation(angle, axis if dims == 3 else None) / size
        return _resampled(image, matrix, spacing)


def rotation(angle: float, axis: np.ndarray | None = None) -> np.ndarray:
    """(3, 3) about an axis (Rodrigues), or (2, 2) in the plane without one."""
    if axis is None:
        return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned: np.ndarray = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    return turned


def _resampled(image: Tensor, matrix: np.ndarray, spacing: Sequence[float]) -> Tensor:
    """The image at ``matrix`` · (position in mm from the centre), linearly interpolated, mirrored at the edges."""
    edges = np.asarray(image.shape[1:]) * np.asarray(spacing)
    # torch measures positions from -1 to 1 along every edge, last axis first
    relative = (matrix * edges[None] / edges[:, None])[::-1, ::-1]
    theta = np.concatenate([relative, np.zeros((len(edges), 1))], axis=1)
    where = F.affine_grid(
        torch.from_numpy(theta.copy())[None].to(image), [1, *image.shape], align_corners=False
    )
    return F.grid_sample(image[None], where, padding_mode="reflection", align_corners=False)[0]
