"""What every generator can do, whatever it is made of."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from voxplain.counterfactual.generator.statistics import LatentStatistics


@runtime_checkable
class Generator(Protocol):
    """A family of images with coordinates. Any module that has these four can be explained with."""

    @property
    def statistics(self) -> LatentStatistics:
        """Where the codes of plausible images lie."""
        ...

    def encode(self, images: Tensor) -> Tensor:
        """(N, C, *S) to codes (N, D): those whose images are nearest."""
        ...

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (N, D) to images (N, C, *S)."""
        ...

    def sample(self, count: int, *, seed: int) -> Tensor:
        """Codes (N, D) of plausible images that nobody has seen."""
        ...
