"""The slices of volumes, as samples of their own that stay with their patient."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import nibabel as nib
import numpy as np
import numpy.typing as npt

from voxplain.case import Case
from voxplain.case.slicing import AXES
from voxplain.errors import InputError
from voxplain.inherent.data.class_masks import Values
from voxplain.inherent.data.reading import Reader
from voxplain.inherent.data.sample import Sample, Samples, listed

HEALTHY_NAME = "healthy"
PLANES = {"sagittal": "LR", "coronal": "PA", "axial": "IS"}  # what lies at both sides of a slice


def slices_of(
    samples: Samples, axis: int | str, *, labels_from_masks: bool = False, least: int = 1, every: int = 1
) -> Samples:
    """Every slice of every volume along an axis, without those in which every channel is constant.

    A slice has its volume's class. That is wrong for slices beside a lesion, unless ``labels_from_masks``: then a slice
    has its volume's class where the mask has voxels in it, and is healthy where not. The labels then come from the masks,
    one yes or no per slice; the masks themselves remain for evaluation.

    Args:
        samples: volumes.
        axis: 0, 1 or 2, of the voxel axes; or axial, coronal or sagittal, which finds the axis volume by volume.
        labels_from_masks: make the label of a slice from its volume's mask. This is an explicit choice, since it uses
            what a person drew.
        least: voxels of the mask from which on a slice is not healthy.
        every: takes every n-th slice.

    Raises:
        InputError: 2-D images, a volume with a finding but without a mask, no slices left; voxel axes along which volumes
            are cut in different planes, or planes of a volume whose orientation is not known.
    """
    if axis not in (0, 1, 2, *PLANES) or every < 1 or least < 1:
        raise InputError(
            f"slices: found axis {axis}, every {every}, least {least}; expected axis 0 to 2 or one of "
            f"{', '.join(PLANES)}, others from 1"
        )
    # of independent labels none applies to a healthy slice; of exclusive ones it has a class, a new one if need be
    shifted = labels_from_masks and not samples.multi_label and samples.healthy is None
    classes = (HEALTHY_NAME, *samples.classes) if shifted else samples.classes
    healthy = samples.healthy or 0
    reader = Reader()
    items: list[Sample] = []
    parts: list[str] = []
    codes: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for number, volume in enumerate(samples):
        case = _volume(reader, volume)
        along = axis_of(case, axis, volume.id)
        if (plane := plane_of(case, along)) is not None:
            codes[plane, orientation(case)].append(volume.id)
        found = list(_slices(case, along, every))
        marked = _marked(reader, volume, along, least, samples.mask_values) if labels_from_masks else None
        for index in found:
            label = volume.label if marked is None else _label(volume, marked[:, index], shifted, healthy)
            items.append(
                Sample(
                    f"{volume.id}-{AXES[along]}{index}", volume.image, label, volume.group, volume.mask, (along, index),
                    volume.meta,
                )
            )  # fmt: skip
        parts += [samples.parts[number]] * len(found) if samples.parts is not None else []
    _check_planes(codes, axis)
    note = _note(len(samples), len(items), axis, labels_from_masks, least)
    if labels_from_masks and not samples.multi_label:
        items, classes, note = _without_empty(items, classes, healthy, note)
    own = tuple(parts) if samples.parts is not None else None
    return Samples(
        tuple(items), classes, own, (*samples.notes, note), samples.patients_known, samples.mask_values,
        None if shifted else samples.told_healthy,
    )  # fmt: skip


def axis_of(case: Case, axis: int | str, name: str) -> int:
    """The voxel axis that is cut along; of a plane, the one that is closest to its normal.

    Raises:
        InputError: a plane, of a volume whose orientation is not known.
    """
    if not isinstance(axis, str):
        return axis
    if case.geometry is None:
        raise InputError(
            f"slices.axis: found {axis}, but the orientation of {name} is not known (a bare array); expected i, j or k, or "
            "NIfTI or DICOM files"
        )
    return next(a for a, code in enumerate(orientation(case)) if code in PLANES[axis])


def plane_of(case: Case, axis: int) -> str | None:
    """The anatomical plane of slices along a voxel axis; None where the orientation is not known."""
    if case.geometry is None:
        return None
    return next(name for name, sides in PLANES.items() if orientation(case)[axis] in sides)


def orientation(case: Case) -> str:
    """Where the voxel axes of a volume with a geometry point to, such as ``RAS``."""
    assert case.geometry is not None
    return "".join(nib.orientations.aff2axcodes(case.geometry.affine))


def _check_planes(codes: dict[tuple[str, str], list[str]], axis: int | str) -> None:
    """One data set has one plane: a network cannot tell what is not told apart."""
    if isinstance(axis, str) or len({plane for plane, _ in codes}) < 2:
        return
    told = "; ".join(f"{plane} of {code} volumes ({listed(names)})" for (plane, code), names in codes.items())
    raise InputError(
        f"slices.axis: along {AXES[axis]} volumes are cut in different planes: {told}; expected one plane: give "
        "data.slices.axis axial, coronal or sagittal, and prepare.orientation such as RAS, which turns the slices alike"
    )


def _volume(reader: Reader, volume: Sample) -> Case:
    if volume.slice is not None:
        raise InputError(f"slices: {volume.id} is a slice already, expected volumes")
    case = reader.case(volume)
    if case.spatial_dims != 3:
        raise InputError(f"slices: {volume.id} is 2-D already {case.spatial_shape}, expected volumes")
    return case


def _slices(case: Case, axis: int, every: int) -> Iterator[int]:
    """The slices in which some channel has more than one value."""
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


def _without_empty(
    items: list[Sample], classes: tuple[str, ...], healthy: int, note: str
) -> tuple[list[Sample], tuple[str, ...], str]:
    """Classes of volumes without a finding are no classes of slices, which are all healthy there."""
    used = sorted({healthy, *(item.label for item in items if isinstance(item.label, int))})
    gone = [name for k, name in enumerate(classes) if k not in used]
    if not gone:
        return items, classes, note
    kept = [replace(item, label=used.index(item.label)) for item in items if isinstance(item.label, int)]
    return kept, tuple(classes[k] for k in used), f"{note}; no slice shows anything of {', '.join(gone)}"


def _note(volumes: int, slices: int, axis: int | str, labels_from_masks: bool, least: int) -> str:
    source = (
        f"labels of slices are made from masks (at least {least} voxels), which are used for evaluation otherwise"
        if labels_from_masks
        else "every slice has its volume's class, also where it shows nothing of it"
    )
    how = (
        f"{axis} slices of {volumes} volumes"
        if isinstance(axis, str)
        else f"slices of {volumes} volumes along {AXES[axis]}"
    )
    return f"{slices} {how}; {source}"
