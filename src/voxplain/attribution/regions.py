"""Ways to cut an image into regions that are hidden as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from torch import Tensor

from voxplain.engine import Problem
from voxplain.errors import InputError
from voxplain.target.region import Region, label_regions


class Box(Region):
    """A rectangular box."""

    def __init__(self, bounds: tuple[slice, ...]) -> None:
        self.bounds = bounds
        self.count = int(np.prod([b.stop - b.start for b in bounds]))

    def crop(self, where: tuple[slice, ...]) -> Tensor:
        out = torch.zeros([s.stop - s.start for s in where], dtype=torch.bool)
        inner = tuple(_within(b, w) for b, w in zip(self.bounds, where, strict=True))
        out[inner] = True
        return out


def _within(box: slice, where: slice) -> slice:
    """The part of ``where`` that the box covers, counted from the start of ``where``."""
    start = max(box.start, where.start)
    return slice(start - where.start, max(min(box.stop, where.stop), start) - where.start)


def boxes(
    shape: tuple[int, ...], size: Sequence[int], stride: Sequence[int], name: str = "boxes"
) -> list[Region]:
    """Boxes of ``size`` voxels at every ``stride`` that together cover the image; the last ones are cut off.

    >>> [b.bounds[0] for b in boxes((7,), (3,), (3,))]
    [slice(0, 3, None), slice(3, 6, None), slice(6, 7, None)]
    """
    starts = []
    for extent, edge, step in zip(shape, size, stride, strict=True):
        if edge < 1 or step < 1 or step > edge:
            raise InputError(
                f"{name}: found size {tuple(size)} and stride {tuple(stride)}, expected 1 ≤ stride ≤ size on every axis"
            )
        count = 1 + max(-(-(extent - edge) // step), 0)
        starts.append([i * step for i in range(count)])
    return [
        Box(tuple(slice(a, min(a + e, n)) for a, e, n in zip(corner, size, shape, strict=True)))
        for corner in product(*starts)
    ]


def supervoxels(problem: Problem, count: int, compactness: float = 0.1) -> list[Region]:
    """SLIC supervoxels (superpixels in 2-D) of the prepared image, with its physical spacing; cut once per problem.

    Args:
        count: roughly how many.
        compactness: balance between shape (large) and intensity (small), on channels scaled to [0, 1].

    Source: Achanta et al. 2012, "SLIC superpixels compared to state-of-the-art superpixel methods".
    """
    if count < 2:
        raise InputError(f"supervoxels: found {count}, expected at least 2")
    return problem.once(("supervoxels", count, compactness), lambda: _slic(problem, count, compactness))


def _slic(problem: Problem, count: int, compactness: float) -> list[Region]:
    from skimage.segmentation import slic

    image = problem.image.float().numpy()
    low = image.min(axis=tuple(range(1, image.ndim)), keepdims=True)
    high = image.max(axis=tuple(range(1, image.ndim)), keepdims=True)
    scaled = (image - low) / np.maximum(high - low, np.finfo(np.float32).eps)
    labels = slic(
        scaled,
        n_segments=count,
        compactness=compactness,
        spacing=problem.prepared.spacing,
        channel_axis=0,
        start_label=0,
        enforce_connectivity=True,
    )
    return list(label_regions(torch.from_numpy(labels.astype(np.int32)), list(range(int(labels.max()) + 1))))


def from_labels(labels: Tensor, what: str) -> list[Region]:
    """One region for every value above 0 of a label map on the prepared grid.

    Args:
        what: asks for them, named in the error.

    Raises:
        InputError: no value above 0.
    """
    values = [int(v) for v in torch.unique(labels) if v > 0]
    if not values:
        raise InputError(
            f"{what}: the region map holds no value above 0, expected one positive integer per region"
        )
    return [r for r in label_regions(labels.to(torch.int32), values) if r.count]
