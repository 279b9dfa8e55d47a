"""What a simulator proposes for an image, at any dose."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor

from voxplain.simulator.field import exponential, invert, warp
from voxplain.simulator.field.exponential import per_field


@dataclass(frozen=True, eq=False)
class Change(ABC):
    """A motion of tissue, and where there is one a change of brightness, proposed for a batch of images.

    Args:
        field: (N, D, *S), in voxels per unit of dose.
        brightness: (N, C, *S), added per unit of dose; in the images' units.
    """

    field: Tensor
    brightness: Tensor | None = None

    @abstractmethod
    def pull(self, dose: float | Tensor) -> Tensor:
        """The displacement (N, D, *S) in voxels that an image is warped with at a dose, one for all or (N,)."""

    @abstractmethod
    def push(self, dose: float | Tensor) -> Tensor:
        """The forward map's displacement (N, D, *S) in voxels: where tissue goes. Volumes follow from it."""

    def __call__(self, image: Tensor, dose: float | Tensor = 1.0) -> Tensor:
        """The image (N, C, *S) as it looks at a dose; at 0 it is the image."""
        moved = warp(image, self.pull(dose))
        return moved if self.brightness is None else moved + per_field(dose, moved) * self.brightness


@dataclass(frozen=True, eq=False)
class Velocity(Change):
    """A stationary velocity of tissue: doses are continuous, of any sign, and fold nothing; −dose undoes dose."""

    def pull(self, dose: float | Tensor) -> Tensor:
        return exponential(-self.field, dose)

    def push(self, dose: float | Tensor) -> Tensor:
        return exponential(self.field, dose)


@dataclass(frozen=True, eq=False)
class Displacement(Change):
    """The displacement that the image is warped with, as published; it may fold, and then has no forward map."""

    def pull(self, dose: float | Tensor) -> Tensor:
        return self.field * per_field(dose, self.field)

    def push(self, dose: float | Tensor) -> Tensor:
        return invert(self.pull(dose))
