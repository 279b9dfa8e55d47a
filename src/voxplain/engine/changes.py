"""What a score loses when voxels get other values: one forward pass per change and window that it touches."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from voxplain.engine.canvas import Canvas
from voxplain.engine.gradients import GradientEngine
from voxplain.engine.layout import Slices
from voxplain.engine.occlusion import CLEAN, Occluder, _Item
from voxplain.engine.samplers import clean
from voxplain.target.region import Region


class VoxelChange(Region):
    """Voxels that get other values; everywhere else the image stays as it is."""

    @abstractmethod
    def applied(self, image: Tensor, where: Slices) -> Tensor:
        """The part ``where`` of the image (C, *spatial) after the change: (C, *box)."""


class Overwritten(VoxelChange):
    """Voxels of some channels, replaced by another image's.

    Args:
        members: for each channel the voxels that are replaced, ``None`` for none.
        replacement: (C, *spatial).

    Attributes:
        elements: number of intensities that are replaced, over all channels.
    """

    def __init__(self, members: Sequence[Region | None], replacement: Tensor) -> None:
        self.members, self.replacement = tuple(members), replacement
        self._distinct = {id(m): m for m in members if m is not None and m.count}.values()
        self.elements = sum(m.count for m in members if m is not None)
        self.bounds = _hull([m.bounds for m in self._distinct], replacement.dim() - 1)
        only = next(iter(self._distinct)) if len(self._distinct) == 1 else None
        self.count = only.count if only is not None else int(self.crop(self.bounds).sum())

    def crop(self, where: Slices) -> Tensor:
        out = torch.zeros([s.stop - s.start for s in where], dtype=torch.bool)
        for member in self._distinct:
            out |= member.crop(where)
        return out

    def per_channel(self, where: Slices) -> Tensor:
        """Which intensities are replaced: (C, *box) bool."""
        none = torch.zeros([s.stop - s.start for s in where], dtype=torch.bool)
        return torch.stack([none if m is None else m.crop(where) for m in self.members])

    def applied(self, image: Tensor, where: Slices) -> Tensor:
        part = (slice(None), *where)
        return torch.where(self.per_channel(where), self.replacement[part], image[part])


class Shuffled(VoxelChange):
    """A region whose voxels change places among themselves, all channels of a voxel together.

    Args:
        stream: numbers that, with the seed, choose the permutation.
    """

    def __init__(self, region: Region, seed: int, stream: tuple[int, int]) -> None:
        self.region, self.seed, self.stream = region, seed, stream
        self.count, self.bounds = region.count, region.bounds

    def crop(self, where: Slices) -> Tensor:
        return self.region.crop(where)

    def order(self) -> Tensor:
        """(count,) the voxel that each of the region's voxels, in image order, takes its values from."""
        bits = np.random.Philox(key=self.seed, counter=[0, 0, *self.stream])
        return torch.from_numpy(np.random.Generator(bits).permutation(self.count))

    def applied(self, image: Tensor, where: Slices) -> Tensor:
        out = image[(slice(None), *where)].clone()
        own, asked = _overlap(self.bounds, where)
        if any(s.stop <= s.start for s in own):
            return out
        box = image[(slice(None), *self.bounds)].clone()
        member = self.region.crop(self.bounds)
        box[:, member] = box[:, member][:, self.order()]
        out[(slice(None), *asked)] = box[(slice(None), *own)]
        return out


class Changer(Occluder):
    """Occlusion's bookkeeping, for changes of any kind."""

    def __init__(self, engine: GradientEngine, canvas: Canvas) -> None:
        super().__init__(engine, canvas.padded, canvas.padded)
        self.canvas = canvas

    def _hidden(self, item: _Item, regions: Sequence[Region]) -> Tensor:
        where = self.plan.where(item.window)
        if item.region == CLEAN:
            return clean(self.padded).input(0, where)
        change = regions[item.region]
        assert isinstance(change, VoxelChange)
        return self.canvas.box(where, lambda box: change.applied(self.canvas.image, box))


def _hull(boxes: Sequence[Slices], dims: int) -> Slices:
    if not boxes:
        return tuple(slice(0, 0) for _ in range(dims))
    return tuple(
        slice(min(s.start for s in axis), max(s.stop for s in axis)) for axis in zip(*boxes, strict=True)
    )


def _overlap(own: Slices, asked: Slices) -> tuple[Slices, Slices]:
    """What two boxes share, counted from the start of each."""
    first, second = [], []
    for a, b in zip(own, asked, strict=True):
        start, stop = max(a.start, b.start), min(a.stop, b.stop)
        first.append(slice(start - a.start, stop - a.start))
        second.append(slice(start - b.start, stop - b.start))
    return tuple(first), tuple(second)
