"""Principal components as a generator: exact, without training, and the baseline that every network must beat."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from voxplain.counterfactual.generator.statistics import LatentStatistics
from voxplain.errors import InputError


@dataclass(frozen=True, eq=False)
class PcaGenerator:
    """Images mean + Σ w_k component_k, with orthonormal components: encoding is a projection.

    Args:
        mean: (C, *S).
        components: (D, C, *S), orthonormal.
        deviations: (D,) standard deviation of each code.
        explained: share of the images' variance that the components hold.
    """

    mean: Tensor
    components: Tensor
    deviations: Tensor
    explained: float

    @classmethod
    def fit(cls, images: Tensor, components: int | float = 0.95) -> Self:
        """Of images (N, C, *S).

        Args:
            images: to learn from.
            components: how many; or, below 1, the share of the variance that they must hold.

        Raises:
            InputError: too few images, images that do not vary, more components than images.

        >>> two = torch.tensor([[[0.0, 0.0]], [[2.0, 0.0]], [[4.0, 0.0]]])
        >>> PcaGenerator.fit(two, 1).encode(two).abs().ravel().tolist()
        [2.0, 0.0, 2.0]
        """
        if images.ndim < 3 or len(images) < 2:
            raise InputError(
                f"images: found shape {tuple(images.shape)}, expected (N, C, *S) with N of at least 2"
            )
        mean = images.mean(0)
        _, spread, basis = torch.linalg.svd((images - mean).flatten(1).double(), full_matrices=False)
        power = spread**2
        if not float(power.sum()) > 0:
            raise InputError("images: found all alike, expected some that differ")
        shares = power.cumsum(0) / power.sum()
        count = _count(components, shares, len(images))
        return cls(
            mean,
            basis[:count].to(images.dtype).reshape(count, *images.shape[1:]),
            (spread[:count] / (len(images) - 1) ** 0.5).to(images.dtype),
            float(shares[count - 1]),
        )

    @cached_property
    def statistics(self) -> LatentStatistics:
        return LatentStatistics(torch.zeros_like(self.deviations), torch.diag(self.deviations))

    def encode(self, images: Tensor) -> Tensor:
        if images.shape[1:] != self.mean.shape:
            raise InputError(
                f"images: found shape {tuple(images.shape[1:])}, expected {tuple(self.mean.shape)} as the generator has"
            )
        return (images - self.mean).flatten(1) @ self.components.flatten(1).T

    def decode(self, codes: Tensor) -> Tensor:
        return self.mean + (codes @ self.components.flatten(1)).reshape(len(codes), *self.mean.shape)

    def sample(self, count: int, *, seed: int) -> Tensor:
        """Codes of a normal distribution with the images' variances."""
        generator = torch.Generator().manual_seed(seed)
        normal = torch.randn(count, len(self.deviations), generator=generator)
        return normal.to(self.deviations) * self.deviations

    def to(self, device: torch.device | str) -> PcaGenerator:
        """The same on another device."""
        mean, components, deviations = (x.to(device) for x in (self.mean, self.components, self.deviations))
        return PcaGenerator(mean, components, deviations, self.explained)

    def save(self, path: Path) -> None:
        """Write as safetensors, whole or not at all."""
        from safetensors.torch import save_file

        from voxplain.case.atomic import whole

        arrays = {"mean": self.mean, "components": self.components, "deviations": self.deviations}
        told = {"generator": "pca", "explained": repr(self.explained)}
        with whole(path, parents=True) as temporary:
            save_file({k: a.contiguous() for k, a in arrays.items()}, temporary, metadata=told)

    @classmethod
    def load(cls, path: Path) -> Self:
        """What `save` wrote, bit by bit.

        Raises:
            InputError: no such file, or another one.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt") as file:
                told = file.metadata() or {}
                if told.get("generator") != "pca":
                    raise InputError(f"{path}: found another file, expected one that PcaGenerator.save wrote")
                arrays = {name: file.get_tensor(name) for name in ("mean", "components", "deviations")}
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path}: cannot be read as a generator of principal components") from error
        return cls(**arrays, explained=float(told["explained"]))


def _count(components: int | float, shares: Tensor, images: int) -> int:
    """How many components are meant."""
    most = min(images - 1, len(shares))
    if isinstance(components, int) and not isinstance(components, bool):
        if not 1 <= components <= most:
            raise InputError(f"components: found {components}, expected 1 … {most} for {images} images")
        return components
    if not 0 < components < 1:
        raise InputError(
            f"components: found {components}, expected a number of them, or a share between 0 and 1"
        )
    return min(int((shares < components).sum()) + 1, most)
