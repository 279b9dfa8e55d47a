"""Baselines that replace each region by something made of what surrounds it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxplain.attribution.baseline import Baseline
from voxplain.attribution.baselines.harmonic import filled_coarse_to_fine, noise_deviation
from voxplain.attribution.baselines.surroundings import Surroundings, surroundings
from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.target.region import Region

Volume = NDArray[np.float64]
SEED_SALT = 0x1F111


@dataclass(frozen=True)
class Regional(Baseline):
    """A baseline whose value at a voxel depends on the region that the voxel lies in.

    Each region is filled from its own surroundings **in the clean image**, whoever else is absent: what stands for a
    region is the same in every coalition, as the axioms of Shapley values ask for. Where neighbouring regions are absent
    together, each still shows what the clean neighbour suggested.

    Args:
        width: of the surroundings in mm (voxels where the spacing is unknown); 3 voxels of the finest axis by default.
    """

    width: float | None = None
    is_constant = False

    def __post_init__(self) -> None:
        if self.width is not None and not 0 < self.width < float("inf"):
            raise InputError(f"baseline {self.kind}: found width {self.width}, expected a positive length")

    @property
    @abstractmethod
    def kind(self) -> str:
        """Its name in text."""

    @abstractmethod
    def fill(
        self, image: Volume, around: Surroundings, spacing: Sequence[float], rng: np.random.Generator
    ) -> Volume:
        """Values of the region's voxels in image order, (n,), from one channel (*box); the shell is not empty."""

    def __call__(self, problem: Problem) -> Tensor:
        """Refused, since there are no regions.

        Raises:
            InputError: always.
        """
        raise InputError(
            f"baseline {self.kind}: it fills regions from what surrounds them, and nothing here says which regions; "
            "expected a baseline of the whole image such as 'blur', or a game of regions (aggregate, kernel_shap, "
            "shapley_sampling, lime, occlusion)"
        )

    def over(self, problem: Problem, parts: Sequence[Region]) -> Tensor:
        """Every part filled, other voxels as in the image: (C, *spatial).

        A part without surroundings, since it is the whole image, becomes its own mean.

        Raises:
            InputError: parts overlap.
        """
        out = problem.image.clone()
        done = torch.zeros(problem.spatial_shape, dtype=torch.bool)
        for number, part in enumerate(parts):
            if not part.count:
                continue
            around = surroundings(part, problem.spatial_shape, problem.prepared.spacing, self.width)
            member = torch.from_numpy(around.member)
            if bool(done[around.box][member].any()):
                raise InputError(
                    f"baseline {self.kind}: region {number} shares voxels with another, expected regions that do not overlap"
                )
            done[around.box] |= member
            values = self._values(problem, around, number)
            out[(slice(None), *around.box)][:, member] = torch.from_numpy(values).to(out.dtype)
        return out

    def _values(self, problem: Problem, around: Surroundings, number: int) -> Volume:
        """(C, n)."""
        channels = problem.image[(slice(None), *around.box)].double().numpy()
        if not around.shell.any():
            own = channels[:, around.member]
            return np.broadcast_to(own.mean(1, keepdims=True), own.shape).copy()
        rng = np.random.default_rng([problem.seed, SEED_SALT, number])
        return np.stack([self.fill(c, around, problem.prepared.spacing, rng) for c in channels])


@dataclass(frozen=True)
class LocalMean(Regional):
    """Each region becomes the mean of its surroundings, channel by channel."""

    kind = "local-mean"

    def fill(
        self, image: Volume, around: Surroundings, spacing: Sequence[float], rng: np.random.Generator
    ) -> Volume:
        return np.full(int(around.member.sum()), image[around.shell].mean())


@dataclass(frozen=True)
class Infill(Regional):
    """Each region becomes tissue: what its border suggests, with the noise of its surroundings.

    The border's values are continued harmonically into the region (every voxel the weighted mean of its neighbours), and
    Gaussian noise is added, drawn with the problem's seed, whose deviation is that of the surroundings' fine noise.
    Structures are not made up: what is missing inside is smooth.

    Source: harmonic in-fill as in Rong et al. 2022, arXiv:2202.00449, in 3-D and over regions.
    """

    kind = "infill"

    def fill(
        self, image: Volume, around: Surroundings, spacing: Sequence[float], rng: np.random.Generator
    ) -> Volume:
        smooth = filled_coarse_to_fine(image, around.member, spacing)[around.member]
        deviation = noise_deviation(image, around.shell, spacing, around.member)
        return smooth + deviation * rng.standard_normal(smooth.shape)
