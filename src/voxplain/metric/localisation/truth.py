"""Where the finding is, as people say it: a mask on the prepared grid for every target."""

from __future__ import annotations

import hashlib
from os import PathLike

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxplain.engine import Problem
from voxplain.errors import GeometryError, InputError
from voxplain.model.label_values import foreign_value, where

Mask = str | PathLike[str] | NDArray[np.generic]


def told(mask: Mask) -> str:
    """The source in words, the same for the same mask."""
    if isinstance(mask, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(mask).tobytes()).hexdigest()[:12]
        return f"array {mask.shape} {mask.dtype} sha256:{digest}"
    return str(mask)


def check_truth(problem: Problem, mask: Mask, value: int | None) -> None:
    """Find a mask that is missing or on another grid before anything runs.

    Raises:
        InputError: no label map, a label map whose values are no classes, targets without a region.
        GeometryError: a mask on another grid.
    """
    for target in problem.present:
        inside(problem, target, mask, value)


def inside(problem: Problem, target: int, mask: Mask, value: int | None) -> Tensor:
    """Where the target's finding is: bool (*spatial); empty where it has none.

    Args:
        mask: ``label`` (the case's label map), ``region`` (the target's own region), or a mask on the case's grid.
        value: of the label map or mask; by default the class's index in a label map, all that is not zero in a mask.

    Raises:
        InputError, GeometryError: see `check_truth`.
    """
    if isinstance(mask, str) and mask == "label":
        return _in_label(problem, target, value)
    if isinstance(mask, str) and mask == "region":
        return _in_region(problem, target)
    key = ("localisation mask", told(mask))
    brought = problem.once(key, lambda: _brought(problem, mask))
    return brought != 0 if value is None else brought == value


def _in_label(problem: Problem, target: int, value: int | None) -> Tensor:
    label = problem.prepared.label
    if label is None:
        raise InputError(
            f"mask 'label': case {problem.case.id!r} has no label map; give the case one, or mask='region' or a mask"
        )
    if value is not None:
        return label == value
    asked, values = problem.targets[target], problem.model.label_values
    if values is None:
        raise InputError(
            f"mask 'label': the network's labels are independent of each other, and which value of the label map means "
            f"{asked.class_name!r} is not known; say which by value=1, or give the model label_values"
        )
    foreign = foreign_value(label, values)
    if foreign is not None:
        raise InputError(
            f"mask 'label': the label map holds {foreign}, which is no class (0 to {len(problem.model.classes) - 1}); "
            f"say which value is meant: value={foreign}"
        )
    if asked.kind == "class" and values[asked.class_index] == (0,):
        # label 0 is the absence of findings, which a classifier's class 0 cannot be localised by
        return torch.zeros_like(label, dtype=torch.bool)
    return where(label, values[asked.class_index])


def _in_region(problem: Problem, target: int) -> Tensor:
    region = problem.targets[target].region
    if region is None:
        raise InputError(
            f"mask 'region': target {problem.targets[target].name!r} has no region, since it is about the whole image; "
            "give mask='label' or a mask"
        )
    return region.crop(tuple(slice(0, s) for s in problem.spatial_shape))


def _brought(problem: Problem, mask: Mask) -> Tensor:
    array = problem.label_array(mask)
    if array.dtype.kind not in "biuf":
        raise InputError(f"mask: found an array of {array.dtype}, expected numbers")
    try:
        return problem.prepared.bring(array)
    except GeometryError as error:
        raise GeometryError(f"localisation {error}") from error
