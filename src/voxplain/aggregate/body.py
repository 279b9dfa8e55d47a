"""Where the body is, and what divides an image whose network names no parts of it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import scipy
import torch
from numpy.typing import NDArray

from voxplain.aggregate.partition import Partition, known_spacing, predicted

if TYPE_CHECKING:
    from voxplain.case import Geometry
    from voxplain.engine import Problem

Mask = NDArray[np.bool_]
ELSEWHERE, OUT = "elsewhere in the body", "outside the body"
ALONG = 128  # voxels per axis on which the body is sought; larger images are thinned out
LEAST, MOST = 0.02, 0.98  # share of the image between which a body can be one
_SIDES = {
    "R": ("left", "right"),
    "L": ("right", "left"),
    "A": ("back", "front"),
    "P": ("front", "back"),
    "S": ("lower", "upper"),
    "I": ("upper", "lower"),
}


def body(image: NDArray[np.floating]) -> Mask | None:
    """The largest thing that is brighter than air, with its holes filled: (*spatial); None where none stands out.

    The threshold lies half way between Otsu's of the channels' mean and the mean of all that is darker, since some tissue is
    dark. A region of the image and no segmentation: good enough to tell "beside the patient" from "in the patient".

    Args:
        image: (C, x, y, z).
    """
    from skimage.filters import threshold_otsu

    steps = tuple(slice(None, None, max(-(-n // ALONG), 1)) for n in image.shape[1:])
    thin = np.asarray(image[(slice(None), *steps)], dtype=np.float64).mean(0)
    low, high = np.quantile(thin, [0.001, 0.999])
    if not high > low:
        return None
    otsu = float(threshold_otsu(thin.clip(low, high)))
    limit = (otsu + float(thin[thin <= otsu].mean())) / 2
    parts, count = scipy.ndimage.label(scipy.ndimage.binary_opening(thin > limit))
    if not count:
        return None
    largest = parts == 1 + np.bincount(parts.ravel())[1:].argmax()
    closed = scipy.ndimage.binary_closing(np.pad(largest, 3), iterations=2)[(slice(3, -3),) * thin.ndim]
    filled = _filled(closed | largest)
    if not LEAST < filled.mean() < MOST:
        return None
    for axis, size in enumerate(image.shape[1:]):
        step = steps[axis].step
        filled = np.repeat(filled, step, axis).take(range(size), axis) if step > 1 else filled
    return filled


def _filled(mask: Mask) -> Mask:
    """Without holes, plane by plane along every axis: lungs and sinuses open only to the ends of the scan."""
    out = mask.copy()
    for axis in range(mask.ndim):
        planes = np.moveaxis(out, axis, 0)
        for plane in planes:
            plane[...] = scipy.ndimage.binary_fill_holes(plane)
    return out


def in_the_body(problem: Problem, partition: Partition) -> Partition:
    """Segments, their background divided into what lies in the body and what lies outside of it.

    Args:
        partition: `predicted` segments, or labels, whose first region is all that has no name.

    Returns:
        the same partition where the image shows no body.
    """
    found = body(problem.image.numpy()) if problem.image.ndim == 4 else None
    if found is None or ELSEWHERE in partition.regions or OUT in partition.regions:
        return partition
    inside = torch.from_numpy(found)
    labels = torch.where((partition.labels == 0) & ~inside, len(partition.regions), partition.labels)
    return Partition(
        partition.name,
        labels.to(torch.int32),
        (ELSEWHERE, *partition.regions[1:], OUT),
        partition.spacing,
    )


def fields(problem: Problem) -> Partition:
    """Nine fields of a picture; halves by sides of what has a place in space: where a classifier looks, in plain words."""
    shape = problem.spatial_shape
    geometry = problem.prepared.geometry
    if len(shape) == 2 and geometry is None:
        names = [
            f"{row} {column}"
            for row in ("upper", "middle", "lower")
            for column in ("left", "centre", "right")
        ]
        rows, columns = (np.minimum(np.arange(n) * 3 // n, 2) for n in shape)
        return _partition(problem, rows[:, None] * 3 + columns, tuple(names))
    found = body(problem.image.numpy()) if len(shape) == 3 else None
    mask = np.ones(shape, bool) if found is None else found
    labels = np.zeros(shape, dtype=np.int64)
    for axis, size in enumerate(shape):
        there = np.flatnonzero(mask.any(tuple(a for a in range(mask.ndim) if a != axis)))
        upper = np.arange(size) > (there[0] + there[-1]) / 2
        labels = 2 * labels + upper.reshape([-1 if a == axis else 1 for a in range(mask.ndim)])
    names = [", ".join(parts) for parts in itertools.product(*_sides(geometry, len(shape)))]
    if found is None:
        return _partition(problem, labels, tuple(names))
    return _partition(problem, np.where(mask, labels, len(names)), (*names, OUT))


def _sides(geometry: Geometry | None, axes: int) -> list[tuple[str, str]]:
    """Names of the lower and the upper half of each axis; without a geometry those of the array."""
    if geometry is None:
        return [(f"first half of {a}", f"second half of {a}") for a in "ijk"[:axes]]
    return [_SIDES[letter] for letter in geometry.orientation]


def _partition(problem: Problem, labels: NDArray[np.integer], names: tuple[str, ...]) -> Partition:
    return Partition(
        "fields", torch.from_numpy(labels.astype(np.int32)).contiguous(), names, known_spacing(problem)
    )


def division(problem: Problem) -> Partition:
    """What an image is divided into where nobody says: the predicted segments, or else `fields`."""
    if problem.model.task == "segmentation":
        return in_the_body(problem, predicted(problem))
    return fields(problem)
