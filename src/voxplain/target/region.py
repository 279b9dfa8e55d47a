"""Sets of voxels over which a target sums its score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import scipy
import torch
from torch import Tensor

Slices = tuple[slice, ...]


class Region(ABC):
    """Some voxels of the prepared image, readable piece by piece.

    Attributes:
        count: number of voxels.
        bounds: the box that holds them, as slices of the image; meaningless where ``count`` is 0.
    """

    count: int
    bounds: Slices

    @abstractmethod
    def crop(self, where: Slices) -> Tensor:
        """Membership of the voxels in ``where``: bool, of the box's shape."""

    def touches(self, where: Slices) -> bool:
        """Whether any voxel of the region lies in ``where``."""
        if self.count == 0:
            return False
        if any(a.start >= b.stop or b.start >= a.stop for a, b in zip(self.bounds, where, strict=True)):
            return False
        return bool(self.crop(where).any())


class LabelMapRegion(Region):
    """The voxels of a shared label map that carry one value: costs no memory of its own."""

    def __init__(self, labels: Tensor, value: int, count: int, bounds: Slices | None) -> None:
        self.labels, self.value, self.count = labels, value, count
        self.bounds = bounds if bounds is not None else tuple(slice(0, 0) for _ in labels.shape)

    def crop(self, where: Slices) -> Tensor:
        return self.labels[where] == self.value


class MaskRegion(Region):
    """Any mask; only its bounding box is kept."""

    def __init__(self, mask: Tensor) -> None:
        mask = mask.bool()
        self.count = int(mask.sum())
        box = scipy.ndimage.find_objects(mask.numpy().astype(np.uint8))
        self.bounds = box[0] if box else tuple(slice(0, 0) for _ in mask.shape)
        self.shape = tuple(mask.shape)
        self._inner = mask[self.bounds].clone()

    def crop(self, where: Slices) -> Tensor:
        out = torch.zeros([s.stop - s.start for s in where], dtype=torch.bool)
        here, there = [], []
        for asked, own in zip(where, self.bounds, strict=True):
            start, stop = max(asked.start, own.start), min(asked.stop, own.stop)
            if stop <= start:
                return out
            here.append(slice(start - asked.start, stop - asked.start))
            there.append(slice(start - own.start, stop - own.start))
        out[tuple(here)] = self._inner[tuple(there)]
        return out


def label_regions(labels: Tensor, values: Sequence[int]) -> list[LabelMapRegion]:
    """One region per value of a label map, from a single pass over it.

    Args:
        labels: (*spatial) integers ≥ 0.
        values: the values wanted; those that are absent give a region with ``count`` 0.
    """
    array = labels.numpy()
    counts = np.bincount(array.ravel(), minlength=max(values, default=0) + 1)
    # find_objects ignores 0, hence the shift by one
    boxes = scipy.ndimage.find_objects(array.astype(np.int32) + 1, max_label=max(values, default=0) + 1)
    return [LabelMapRegion(labels, v, int(counts[v]), boxes[v]) for v in values]
