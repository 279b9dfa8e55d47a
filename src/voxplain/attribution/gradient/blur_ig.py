"""Blur integrated gradients: a path through the image's scales instead of its brightness."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy
import torch
from torch import Tensor

from voxplain.attribution.gap import relative_gap
from voxplain.attribution.method import Method, Result, register
from voxplain.engine import Passes, Problem
from voxplain.engine.layout import Slices
from voxplain.errors import InputError


@register
@dataclass(frozen=True)
class BlurIntegratedGradients(Method):
    """∫ ∂F(L_σ)/∂L · ∂L_σ/∂σ dσ from the widest blur to the image itself, L_σ the image blurred with width σ.

    Xu et al. 2020, "Attribution in scale and space". No baseline has to be chosen but the widest blur. L_σ is
    the solution of the heat equation between voxels with reflecting borders, with σ in millimetres, so that voxels
    that are not cubes are blurred alike in all directions. The path goes straight from one of ``nodes`` + 1 blurred
    images to the next, with the gradient half-way: the maps sum to F(x) − F(L_σmax) up to an error that falls with the
    square of ``nodes`` and is reported as ``completeness_gap``.

    Args:
        nodes: gradient evaluations on the path; widths fall with the square of their number, since small ones change
            more.
        sigma: the widest blur, in millimetres where the spacing is known, else in voxels (pixels); a sixth of the
            image's shortest edge by default.
    """

    nodes: int = 32
    sigma: float | None = None

    name: ClassVar[str] = "blur_ig"
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "Blur integrated gradients"
    source: ClassVar[str] = "Xu et al. 2020, arXiv:2004.03383"
    needs: ClassVar[tuple[str, ...]] = ("gradients",)
    reads: ClassVar[str] = (
        "the share of the score's difference from the blurred image that detail here carries"
    )
    trust: ClassVar[tuple[str, ...]] = ("completeness_gap",)

    def __post_init__(self) -> None:
        if self.nodes < 1:
            raise InputError(f"blur_ig: found nodes={self.nodes}, expected at least 1")
        if self.sigma is not None and not 0 < self.sigma < math.inf:
            raise InputError(f"blur_ig: found sigma={self.sigma}, expected a positive length")

    def cost(self, problem: Problem) -> Passes:
        return self._passes(problem, self.nodes, 2)

    def compute(self, problem: Problem) -> Result:
        scales = Scales(problem.image, problem.prepared.spacing)
        widths = self.widths(problem)
        total = problem.store(share=2)
        everywhere = tuple(slice(0, s) for s in problem.spatial_shape)
        for part in _parts(self.nodes, _at_once(problem)):
            images = [problem.pad(scales.blurred(w)) for w in widths[part.start : part.stop + 1]]
            found = problem.gradient(lambda _, images=images: Polyline(images), what=self.name)  # type: ignore[misc]
            for t in problem.present:
                total.add(t, everywhere, found.maps[t])
        start = scales.blurred(widths[0])
        ends = torch.stack([problem.clean_scores(), problem.scores([start])[0]])
        checks, notes = {}, {}
        for t in problem.present:
            difference = float(ends[0, t] - ends[1, t])
            gap = relative_gap(float(total[t].double().sum()), difference)
            checks[t] = {"completeness_gap": gap}
            missed = (
                f"; the map misses {gap:.0%} of the score's difference of {difference:.3g}: use more nodes"
            )
            notes[t] = f"from a blur of {widths[0]:.3g} {_unit(problem)}" + (missed if gap > 0.05 else "")
        return Result(total, ends[0], "score", checks, notes)

    def widths(self, problem: Problem) -> list[float]:
        """σ of the ``nodes`` + 1 blurred images, from the widest down to 0."""
        edges = [n * s for n, s in zip(problem.spatial_shape, problem.prepared.spacing, strict=True)]
        widest = min(edges) / 6 if self.sigma is None else self.sigma
        return [widest * (1 - k / self.nodes) ** 2 for k in range(self.nodes + 1)]


class Scales:
    """An image's scale space: any Gaussian width σ from one cosine transform.

    Lindeberg 1990, "Scale-space for discrete signals": the heat equation with the Laplacian of the voxels' own grid,
    whose kernel is positive and has variance σ² exactly. (The continuous Gaussian, sampled in frequencies, rings at
    widths below a voxel, and puts stripes beside every edge.) With reflecting borders cosine mode k of an axis with n
    voxels decays by exp(−σ²λ/2), λ = (2 − 2 cos(πk/n)) / spacing².
    """

    def __init__(self, image: Tensor, spacing: Sequence[float]) -> None:
        self.image, self.dims = image, image.dim() - 1
        self.axes = tuple(range(1, image.dim()))
        self.modes = scipy.fft.dctn(image.double().numpy(), axes=self.axes, norm="ortho")
        self.rates = [
            (2 - 2 * np.cos(np.pi * np.arange(n) / n)) / s**2
            for n, s in zip(image.shape[1:], spacing, strict=True)
        ]

    def blurred(self, sigma: float) -> Tensor:
        """(C, *spatial), the image itself where sigma is 0."""
        if sigma == 0:
            return self.image
        modes = self.modes
        for axis, rate in enumerate(self.rates, start=1):
            shape = [1] * modes.ndim
            shape[axis] = -1
            modes = modes * np.exp(-(sigma**2) * rate / 2).reshape(shape)
        return torch.from_numpy(scipy.fft.idctn(modes, axes=self.axes, norm="ortho")).to(self.image.dtype)


@dataclass(frozen=True)
class Polyline:
    """Half-way points between neighbours of (padded) images, times the step from one to the next."""

    images: Sequence[Tensor]

    def __len__(self) -> int:
        return len(self.images) - 1

    def input(self, draw: int, where: Slices) -> Tensor:
        box = (slice(None), *where)
        return (self.images[draw][box] + self.images[draw + 1][box]) / 2

    def factor(self, draw: int, where: Slices) -> Tensor:
        box = (slice(None), *where)
        return self.images[draw + 1][box] - self.images[draw][box]


def _at_once(problem: Problem) -> int:
    """Segments whose images are held together: a batch, or what a quarter of the memory for maps holds."""
    size = problem.padded.numel() * problem.padded.element_size()
    return max(min(problem.runner.batch, problem.memory // (4 * size)), 1)


def _parts(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _unit(problem: Problem) -> str:
    return "px" if problem.prepared.geometry is None else "mm"
