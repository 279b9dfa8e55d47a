"""The slices of volumes, as samples of their own that stay with their patient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from voxplain.case.slicing import AXES
from voxplain.errors import InputError
from voxplain.inherent.data.class_masks import Values
from voxplain.inherent.data.reading import Reader
from voxplain.inherent.data.sample import Sample, Samples

HEALTHY_NAME = "healthy"


def slices_of(
    samples: Samples, axis: int, *, labels_from_masks: bool = False, least: int = 1, every: int = 1
) -> Samples:
    """Every slice of every volume along an axis, without those in which every channel is constant.

    A slice has its volume's class. That is wrong for slices beside a lesion, unless ``labels_from_masks``: then a slice
    has its volume's class where the mask has voxels in it, and is healthy where not. The labels then come from the masks,
    one yes or no per slice; the masks themselves remain for evaluation.

    Args:
        samples: volumes.
        axis: 0, 1 or 2, of the voxel axes.
        labels_from_masks: make the label of a slice from its volume's mask. This is an explicit choice, since it uses
            what a person drew.
        least: voxels of the mask from which on a slice is not healthy.
        every: takes every n-th slice.

    Raises:
        InputError: 2-D images, a volume with a finding but without a mask, no slices left.
    """
    if axis not in (0, 1, 2) or every < 1 or least < 1:
        raise InputError(
            f"slices: found axis {axis}, every {every}, least {least}; expected axis 0 to 2, others from 1"
        )
    # of independent labels none applies to a healthy slice; of exclusive ones it has a class, a new one if need be
    shifted = labels_from_masks and not samples.multi_label and samples.healthy is None
    classes = (HEALTHY_NAME, *samples.classes) if shifted else samples.classes
    healthy = samples.healthy or 0
    reader = Reader()
    items: list[Sample] = []
    parts: list[str] = []
    for number, volume in enumerate(samples):
        found = list(_slices(reader, volume, axis, every))
        marked = _marked(reader, volume, axis, least, samples.mask_values) if labels_from_masks else None
        for index in found:
            label = volume.label if marked is None else _label(volume, marked[:, index], shifted, healthy)
            items.append(
                Sample(
                    f"{volume.id}-{AXES[axis]}{index}", volume.image, label, volume.group, volume.mask, (axis, index),
                    volume.meta,
                )
            )  # fmt: skip
        parts += [samples.parts[number]] * len(found) if samples.parts is not None else []
    note = _note(len(samples), len(items), axis, labels_from_masks, least)
    own = tuple(parts) if samples.parts is not None else None
    return Samples(
        tuple(items), classes, own, (*samples.notes, note), samples.patients_known, samples.mask_values,
        None if shifted else samples.told_healthy,
    )  # fmt: skip


def _slices(reader: Reader, volume: Sample, axis: int, every: int) -> Iterator[int]:
    """The slices in which some channel has more than one value."""
    if volume.slice is not None:
        raise InputError(f"slices: {volume.id} is a slice already, expected volumes")
    case = reader.case(volume)
    if case.spatial_dims != 3:
        raise InputError(f"slices: {volume.id} is 2-D already {case.spatial_shape}, expected volumes")
    others = tuple(a for a in range(1, 4) if a != axis + 1)
    varied = (case.image.max(others) > case.image.min(others)).any(0)
    yield from (int(i) for i in range(0, case.spatial_shape[axis], every) if varied[i])


def _marked(
    reader: Reader, volume: Sample, axis: int, least: int, values: Values | None
) -> npt.NDArray[np.bool_]:
    """(K, n) whether a slice has enough voxels of each class; (1, n) of any, where masks do not tell classes apart."""
    drawn = reader.drawn(volume)
    if drawn is None:
        raise InputError(
            f"labels_from_masks: {volume.id} has no mask, so its slices have no labels; give one (all zero where healthy)"
        )
    lacks = [k for k in volume.labels if isinstance(volume.mask, tuple) and volume.mask[k] is None]
    if lacks:
        raise InputError(
            f"labels_from_masks: {volume.id} has no mask of a class that it has, so its slices have no labels"
        )
    masks = [drawn > 0] if values is None else [np.isin(drawn, v) for v in values]
    others = tuple(a for a in range(3) if a != axis)
    return np.stack([mask.sum(others) >= least for mask in masks])


def _label(
    volume: Sample, marked: npt.NDArray[np.bool_], shifted: bool, healthy: int
) -> int | tuple[int, ...]:
    if not isinstance(volume.label, tuple):
        return volume.label + int(shifted) if marked.any() else healthy
    if len(marked) > 1:
        return tuple(k for k in volume.label if marked[k])
    return volume.label if marked.any() else ()


def _note(volumes: int, slices: int, axis: int, labels_from_masks: bool, least: int) -> str:
    source = (
        f"labels of slices are made from masks (at least {least} voxels), which are used for evaluation otherwise"
        if labels_from_masks
        else "every slice has its volume's class, also where it shows nothing of it"
    )
    return f"{slices} slices of {volumes} volumes along {AXES[axis]}; {source}"
