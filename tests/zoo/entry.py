"""What the zoo knows about a network: how to make it, what it takes and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy import ndimage
from torch import nn

from voxplain.case import Case, Geometry
from voxplain.target import AllClasses, Mask, Target

SIDES = {2: (32, 32), 3: (16, 16, 16)}
WIDE = {2: (48, 32), 3: (28, 16, 16)}


@dataclass(frozen=True)
class Entry:
    """One network of the zoo.

    Attributes:
        make: (dims, seed) -> module; another seed is another draw of all weights.
        task: what it does.
        channels: of its input.
        head: which of its outputs is meant, where there are several.
        shapes: per dims it exists in, the whole image that it is asked about.
        wide: per dims, an image of several windows of that shape; segmentation only.
        slow: dims in which only a few methods of few passes are tried.
        like: shape -> a real image to ask it about, (C, *spatial), instead of a random one.
        data: a file that must exist for it.
    """

    make: Callable[[int, int], nn.Module]
    task: str = "segmentation"
    channels: int = 1
    head: str | int | None = None
    shapes: dict[int, tuple[int, ...]] = field(default_factory=lambda: dict(SIDES))
    wide: dict[int, tuple[int, ...]] = field(default_factory=lambda: dict(WIDE))
    slow: tuple[int, ...] = ()
    like: Callable[[tuple[int, ...]], np.ndarray] | None = None
    data: Path | None = None

    @property
    def dims(self) -> tuple[int, ...]:
        return tuple(sorted(self.shapes))

    def targets(self, shape: tuple[int, ...]) -> list[Target]:
        """Every class over its own region; of a trained network, which sees one class in so small a crop, the first
        two over a box that lies in several windows."""
        if self.like is None:
            return [AllClasses(background=True)]
        box = np.zeros(shape, dtype=np.uint8)
        box[tuple(slice(n // 4, n - n // 4) for n in shape)] = 1
        return [Mask(class_name=c, mask=box) for c in (0, 1)]

    def case(self, shape: tuple[int, ...], scale: float = 1.0) -> Case:
        """A picture of smooth blobs with some noise, positive on average, or the real one; times ``scale``."""
        image = blobs((self.channels, *shape)) if self.like is None else self.like(shape)
        return Case(
            id="zoo",
            image=(image.astype(np.float64) * scale).astype(np.float32),
            geometry=Geometry(np.eye(4), shape) if len(shape) == 3 else None,
        )


def blobs(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Smooth structures of about four voxels and finer noise, (C, *spatial)."""
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth = ndimage.gaussian_filter(noise, (0, *(1.5,) * (len(shape) - 1)), mode="wrap")
    return smooth / smooth.std() + 0.3 * noise + 0.5
