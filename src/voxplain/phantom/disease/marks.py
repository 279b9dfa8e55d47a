"""A mark in the corner of an image that goes with the disease: what a classifier should not learn from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from voxplain.case import Case
from voxplain.errors import InputError


@dataclass(frozen=True)
class CornerMark:
    """A bright square (cube) near the first corner, outside of the body, such as a scanner's or a side's label.

    Attributes:
        healthy: chance that a healthy image has it.
        diseased: chance that a diseased one has it; as high as `healthy`, it tells nothing.
        size: edge as a share of the image's.
        brightness: of its middle; its border is soft over a voxel, so that a warp can move it.
        seed: of who has it.
    """

    healthy: float = 0.0
    diseased: float = 1.0
    size: float = 0.1
    brightness: float = 0.8
    seed: int = 0

    def __post_init__(self) -> None:
        chances = {"healthy": self.healthy, "diseased": self.diseased}
        for name, chance in chances.items():
            if not 0 <= chance <= 1:
                raise InputError(f"{name}: {chance!r} is no chance; a number from 0 to 1 would be")
        if not 0 < self.size <= 0.25:
            raise InputError(f"size: {self.size!r} is not usable; a share above 0 and up to 0.25 would be")

    def has(self, subject: int, *, ill: bool) -> bool:
        """Whether this subject's image has the mark."""
        drawn = np.random.default_rng([self.seed, subject, 4]).uniform()
        return bool(drawn < (self.diseased if ill else self.healthy))

    def on(self, case: Case) -> Case:
        """The case with the mark, which `meta["mark"]` tells."""
        image = np.maximum(case.image, np.float32(self.brightness) * self.shape(case.spatial_shape))
        return replace(case, image=image, meta={**case.meta, "mark": True})

    def shape(self, spatial: tuple[int, ...]) -> NDArray[np.float32]:
        """(*S) the mark as a soft mask in [0, 1]."""
        out = np.ones(spatial, np.float32)
        for axis, n in enumerate(spatial):
            middle, half = 1.3 * self.size * n, self.size * n / 2
            edge = np.clip(half + 0.5 - np.abs(np.arange(n) + 0.5 - middle), 0, 1).astype(np.float32)
            out = out * edge.reshape([-1 if a == axis else 1 for a in range(len(spatial))])
        return out
