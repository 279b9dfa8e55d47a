"""The regions of an image over which attributions are summed, and which are taken away in games."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from voxplain.case.label_names import label_names
from voxplain.errors import InputError
from voxplain.target.region import LabelMapRegion, label_regions

if TYPE_CHECKING:
    from voxplain.engine import Problem

# the region of all that a label image does not name
OUTSIDE = "outside"


@dataclass(frozen=True, eq=False)
class Partition:
    """A division of the prepared image: every voxel lies in exactly one region, also what is background or unlabelled.

    Regions that have no voxel in this image stay in the list, so that tables of all cases have the same rows: a missing
    organ is something that is known of a patient.

    Attributes:
        name: of the partition, as tables call it: ``predicted``, ``label``, or what a file was called.
        labels: (*spatial) int32 on the prepared grid, each voxel's region, 0 to R − 1.
        regions: (R) names.
        spacing: mm per axis of the prepared grid; None where nobody knows, as of a PNG.
    """

    name: str
    labels: Tensor
    regions: tuple[str, ...]
    spacing: tuple[float, ...] | None

    def __post_init__(self) -> None:
        twice = sorted({r for r in self.regions if self.regions.count(r) > 1})
        if twice:
            raise InputError(
                f"partition {self.name}: found the name {twice[0]!r} twice, expected one per region"
            )
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= len(self.regions):
            raise InputError(
                f"partition {self.name}: found labels from {low} to {high}, expected 0 to {len(self.regions) - 1}, one for "
                f"each of {len(self.regions)} names"
            )

    @cached_property
    def counts(self) -> Tensor:
        """(R,) int64 voxels of each region; 0 where it is absent."""
        return torch.bincount(self.labels.flatten(), minlength=len(self.regions))

    @cached_property
    def parts(self) -> list[LabelMapRegion]:
        """Each region as the engine's games and effects take it; those that are absent have ``count`` 0."""
        return label_regions(self.labels, list(range(len(self.regions))))

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel, as `voxel_ml`."""
        return voxel_ml(self.spacing)

    def merged(self, groups: Mapping[str, Sequence[str]]) -> Partition:
        """Regions put together under a new name, at the place of each group's first; the others stay as they are.

        Raises:
            InputError: an unknown region, one in two groups, or a group named as a region that is not in it.
        """
        owner: dict[str, str] = {}
        for group, members in groups.items():
            if group in self.regions and group not in members:
                raise InputError(
                    f"partition {self.name}: {group!r} is a region of its own; list it among its members, or choose "
                    "another name"
                )
            for member in members:
                if member not in self.regions:
                    raise InputError(f"partition {self.name}: no region {member!r} to put into {group!r}")
                if member in owner:
                    raise InputError(
                        f"partition {self.name}: {member!r} is in {owner[member]!r} and in {group!r}"
                    )
                owner[member] = group
        names = list(dict.fromkeys(owner.get(r, r) for r in self.regions))
        table = torch.tensor([names.index(owner.get(r, r)) for r in self.regions], dtype=torch.int32)
        return Partition(self.name, table[self.labels.long()], tuple(names), self.spacing)


def voxel_ml(spacing: tuple[float, ...] | None) -> float:
    """Volume of a voxel in ml; NaN where the spacing is not known, and in a plane, which has none.

    >>> voxel_ml((1.0, 2.0, 5.0)), voxel_ml((1.0, 2.0)), voxel_ml(None)
    (0.01, nan, nan)
    """
    return float(np.prod(spacing)) / 1000 if spacing is not None and len(spacing) == 3 else float("nan")


def known_spacing(problem: Problem) -> tuple[float, ...] | None:
    """Of the prepared grid in mm; None where the case says nothing of it, and it is taken for 1."""
    return None if problem.prepared.geometry is None else problem.prepared.spacing


def predicted(problem: Problem) -> Partition:
    """The segments of the clean prediction: every class of the network is a region, present or not.

    Where classes are independent (sigmoid), a voxel belongs to the strongest class that is beyond its threshold, and to a
    region ``nothing`` where none is.

    Raises:
        InputError: a classifier, which has no segments.
    """
    found, model = problem.prediction, problem.model
    if model.task != "segmentation":
        raise InputError(
            f"regions: {model.name} is a classifier, which predicts no segments; give label files, or supervoxels"
        )
    labels, names = found.labels.to(torch.int32), tuple(model.classes)
    if found.positive is not None:
        labels = torch.where(found.positive.any(0), labels + 1, torch.zeros_like(labels))
        names = (_unused("nothing", names), *names)
    return Partition("predicted", labels, names, known_spacing(problem))


def from_labels(
    problem: Problem, source: object, *, name: str | None = None, regions: Mapping[int, str] | None = None
) -> Partition:
    """Regions from a label image on the case's own grid: a ground truth, pathology masks, another model's segments.

    Args:
        source: a path, or an integer array (*case spatial).
        name: of the partition; the file's name without its ending by default.
        regions: names of the labels, by their value in the file; by default those that a NIfTI brings of its own, or else
            numbers. Names make regions also of labels that this image does not have, and a label without a name is told
            under its number.

    Returns:
        a partition whose region 0 is ``outside``: voxels with label 0 (unless 0 has a name), and what the preparation added
        around the case; it is the only one that is there, with a warning, where no label is above 0.

    Raises:
        InputError: negative labels.
        GeometryError: another grid than the case's.
    """
    labels = problem.prepared.bring(problem.label_array(source)).to(torch.int64)
    own = name or (_stem(Path(source)) if isinstance(source, (str, Path)) else "label")
    values = [int(v) for v in torch.unique(labels)]
    if values[0] < 0:
        raise InputError(f"regions {own}: found the label {values[0]}, expected integers from 0 on")
    brought = label_names(source) if not regions and isinstance(source, (str, Path)) else {}
    known = {int(k): str(v) for k, v in (regions or brought).items()}
    wanted = [0, *sorted({*values, *known} - {0})]
    if values[-1] == 0:
        # a healthy person's lesions: no mistake in itself, and no reason to lose the patient
        warnings.warn(
            f"regions {own}: found no label above 0, so that all of {problem.case.id} is "
            f"{known.get(0, OUTSIDE)!r}",
            stacklevel=2,
        )
    taken = tuple(known.values())
    names = [known.get(v, _unused(OUTSIDE, taken) if v == 0 else str(v)) for v in wanted]
    dense = torch.bucketize(labels, torch.tensor(wanted)).to(torch.int32)
    return Partition(own, dense, tuple(names), known_spacing(problem))


def require_fitting(problem: Problem, partition: Partition) -> None:
    """Refuse a partition of another image.

    Raises:
        InputError: it is.
    """
    found, expected = tuple(partition.labels.shape), problem.spatial_shape
    if found != expected:
        raise InputError(
            f"partition {partition.name}: found labels of {found}, expected {expected} as the prepared image"
        )


def _unused(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += " (no class)"
    return name


def _stem(path: Path) -> str:
    name = path.name
    for ending in (".nii.gz", ".tar.gz"):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return path.stem
